"""A stack's files as they are published: as they are written, but for the names of what goes with them."""

from __future__ import annotations

import pytest

from orchestra.compose import LoadRequest
from orchestra.compose.publishing import collect
from orchestra.errors import ComposeError

MAIN = """\
# a shop
services:
  web:
    image: ${IMAGE:-x}   # stays
    extends: {file: 'base.yaml', service: b}
    env_file: [./web.env, {path: "${NAME:-more}.env"}]
  db: {image: y, extends: {
      file: base.yaml, service: b}}
"""


@pytest.fixture
def publication(tmp_path):
    def publication(text, *, with_env=False, files=(), names=("compose.yaml",)):
        for name, content in {"compose.yaml": text, **dict(files)}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        request = LoadRequest(environment={}, working_directory=str(tmp_path), files=names)
        return collect(request, with_env=with_env)

    return publication


BASES = {
    "base.yaml": "services: {b: {extends: {service: c, file: sub/deep.yaml}}}\n",
    "sub/deep.yaml": "services: {c: {extends: b}, b: {command: x}}\n",
    "web.env": "A=1\n",
    "more.env": "B=1\n",
}


def test_extended_files_go_along(publication):
    found = publication(MAIN, files=BASES)
    main, base, deep = found.files
    assert [(file.name[-9:], file.is_base) for file in found.files] == [
        ("pose.yaml", False),
        ("base.yaml", True),
        ("deep.yaml", True),
    ]
    assert main.text == MAIN.replace("'base.yaml'", f'"{base.name}"').replace("file: base.yaml", f'file: "{base.name}"')
    assert base.text == f'services: {{b: {{extends: {{service: c, file: "{deep.name}"}}}}}}\n'
    assert deep.text == BASES["sub/deep.yaml"]
    assert found.env_files == {}


def test_files_of_variables_go_along_when_asked(publication, tmp_path):
    found = publication(MAIN, files=BASES, with_env=True)
    names = {path: name for name, path in found.env_files.items()}
    assert set(names) == {f"{tmp_path}/web.env", f"{tmp_path}/more.env"}
    web, more = names[f"{tmp_path}/web.env"], names[f"{tmp_path}/more.env"]
    assert f'env_file: ["{web}", {{path: "{more}"}}]' in found.files[0].text
    assert publication(MAIN, files=BASES, with_env=True) == found


def test_a_file_that_may_be_missing_stays_as_it_is_written(publication):
    text = "services: {web: {image: x, env_file: [{path: gone.env, required: false}]}}\n"
    assert publication(text, with_env=True).files[0].text == text


def test_what_an_anchor_says_twice_is_replaced_once(publication):
    text = "x-e: &e ['web.env']\nservices: {a: {image: x, env_file: *e}, b: {image: x, env_file: *e}}\n"
    found = publication(text, files=BASES, with_env=True)
    (name,) = found.env_files
    assert found.files[0].text == text.replace("'web.env'", f'"{name}"')


def test_places_are_those_of_the_text_whatever_is_before_them(publication):
    text = '\ufeff# \u00e4\U0001f600\r\nservices: {a: {image: x, "extends": {"service": b, "file": "base.yaml"}}}\r\n'
    found = publication(text, files={"base.yaml": "services: {b: {command: x}}\n"})
    name = found.files[1].name
    assert f'"file": "{name}"}}}}}}' in found.files[0].text


def test_local_files_that_are_included_are_named(publication, tmp_path):
    found = publication("include: [sub/deep.yaml]\nservices: {a: {image: x}}\n", files=BASES)
    assert found.included == (f"{tmp_path}/sub/deep.yaml",)


def test_a_wrong_file_is_refused(publication):
    with pytest.raises(ComposeError):
        publication("services: {a: {image: x, extends: {file: nowhere.yaml, service: b}}}\n")
