"""Where a value comes from."""

from __future__ import annotations

import pytest

from orchestra.compose.explain import explain
from orchestra.errors import UserError

BASE = """\
services:
  web:
    image: app:${TAG}
    ports: ["80:80"]
    environment: {LEVEL: info}
    env_file: web.env
    labels: {traefik.enable: "true"}
"""
OVERRIDE = """\
services:
  web:
    image: app:${TAG}-debug
    ports: ["443:443"]
    environment:
      LEVEL: debug
"""


@pytest.fixture
def told(folder):
    folder.write("compose.yaml", BASE)
    folder.write("compose.override.yaml", OVERRIDE)
    folder.write(".env", "TAG=1.2\n")
    folder.write("web.env", "# for web\nTOKEN=t\n")

    def tell(asked: str, **changes: object) -> str:
        return explain(folder.request(**changes), asked).replace(f"{folder.path}/", "")

    return tell


def test_the_override_is_named_with_what_it_overrides_and_the_variable_in_it(told):
    assert told("web.image") == (
        'services.web.image = "app:1.2-debug"\n'
        "  set at compose.override.yaml:3:12\n"
        "    3 |     image: app:${TAG}-debug\n"
        '    TAG is "1.2", from .env\n'
        "  instead of compose.yaml:3:12\n"
        "    3 |     image: app:${TAG}\n"
        '    TAG is "1.2", from .env\n'
    )


def test_the_process_environment_is_told_from_files(told):
    text = told("web.image", environment={"TAG": "9"})
    assert 'TAG is "9", from the environment' in text


def test_a_mapping_is_merged_from_every_place_that_says_something(told):
    assert told("web.environment").splitlines()[1:] == [
        "  set at compose.override.yaml:5:5",
        "    5 |     environment:",
        "  merged over compose.yaml:5:5",
        "    5 |     environment: {LEVEL: info}",
    ]


def test_an_entry_of_a_list_is_where_it_was_written(told):
    assert "compose.yaml:4:13" in told("web.ports[0].published")
    assert "compose.override.yaml:4:13" in told("web.ports[1].target")


def test_a_key_may_hold_dots(told):
    assert told("web.labels.traefik.enable").startswith('services.web.labels.traefik.enable = "true"\n  set at')


def test_a_variable_out_of_a_file_is_found_there(told):
    assert told("web.environment.TOKEN") == (
        'services.web.environment.TOKEN = "t"\n  set at web.env:2:1\n    2 | TOKEN=t\n'
    )


def test_what_nobody_wrote_is_said_to_be_filled_in(told):
    assert told("networks.default.name").endswith("  not in any file: a default of Compose\n")


def test_a_base_that_was_extended_is_named(folder):
    folder.write("base.yaml", "services:\n  base:\n    image: b\n    tty: true\n")
    request = folder.request("services:\n  web:\n    extends: {file: base.yaml, service: base}\n    image: w\n")
    assert "base.yaml:4:10" in explain(request, "web.tty")
    assert "instead of" in explain(request, "web.image")
    assert "base.yaml:3:12" in explain(request, "web.image")


def test_an_included_file_is_named(folder):
    folder.write("part/part.yaml", "services:\n  db:\n    image: ${IMAGE}\n")
    folder.write("part/.env", "IMAGE=store\n")
    text = explain(folder.request("include: [part/part.yaml]\nservices: {web: {image: w}}\n"), "db.image")
    assert "part/part.yaml:3:12" in text
    assert 'IMAGE is "store", from' in text
    assert "part/.env" in text


@pytest.mark.parametrize("asked", ["web.imag", "nobody.image", "web.ports[7]", "", "web.image.tag"])
def test_what_is_not_there_is_said_to_be_missing(told, asked):
    if asked:
        with pytest.raises(UserError, match="no such value: "):
            told(asked)
    else:
        assert told(asked).startswith(" = {")
