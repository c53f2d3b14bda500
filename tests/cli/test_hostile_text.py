"""Whatever containers, images, files and registries are called or say, nothing of it steers the terminal."""

from __future__ import annotations

import json

import pytest

from orchestra.cli.events import render_event
from orchestra.cli.render.errors import render_error, render_failures, render_notes
from orchestra.driver.local.record import ContainerRecord, store_record
from orchestra.errors import Diagnostic, EnvironmentLack, Span
from orchestra.model.event import ActionEvent, HealthEvent, Phase
from orchestra.model.health import Health, HealthStatus
from orchestra.model.observed import Container, Created
from orchestra.model.resource import ResourceId
from orchestra.model.result import ReportedFailure
from tests.driver.local.image.making import entry, layer, needs_root

pytestmark = needs_root

HOSTILE = "a\x1b]0;owned\x07b\x9bc\u202ed\re"
SHOWN = r"a\x1b]0;owned\x07b\x9bc\u202ed\re"


def is_harmless(text: str) -> bool:
    return text.replace("\n", "").isprintable()


@pytest.fixture
def hostile_container(by_hand):
    name = by_hand.create("web")
    directory = by_hand.home.container(name)
    container = Container(
        name,
        "web",
        1,
        "id",
        "hash",
        f"rootfs:/{HOSTILE}",
        "digest",
        Created(),
        0.0,
        command=("sh", "-c", f"{HOSTILE}\nX"),
    )
    store_record(directory, ContainerRecord(container))
    by_hand.run(name)
    by_hand.want(config_files=[f"/srv/{HOSTILE}\n/compose.yaml"])
    return by_hand


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "s", "ps"),
        ("-p", "s", "ps", "--no-trunc"),
        ("-p", "s", "images"),
        ("ls",),
        ("system", "df", "-v"),
        ("system", "df", "--format", "table {{.Type}}"),
    ],
)
def test_tables_of_hostile_names_keep_their_rows(arguments, hostile_container, orchestra):
    code, out, err = orchestra(*arguments)
    assert code == 0
    assert is_harmless(out + err)


def test_a_command_of_several_lines_is_one_row(hostile_container, orchestra):
    assert len(orchestra("-p", "s", "ps", "--no-trunc")[1].splitlines()) == 2


def test_prefixes_of_logs_are_shown_and_logs_stay_as_they_are(by_hand, orchestra):
    name = by_hand.create("web", name="x\x1b[2Jy")
    by_hand.run(name)
    by_hand.exit(name)
    by_hand.write(name, "\x1b[31mred\x1b[0m\n")
    assert orchestra("-p", "s", "logs")[1] == "x\\x1b[2Jy  | \x1b[31mred\x1b[0m\n"


def test_metadata_of_images_is_shown(home, orchestra, tmp_path):
    archive = tmp_path / "root.tar"
    archive.write_bytes(layer(entry("etc/name", content=b"x")))
    change = ("--change", f"LABEL note={HOSTILE}".replace("\r", ""), "--message", HOSTILE)
    code, out, err = orchestra("image", "import", *change, str(archive), "app:1")
    assert code == 0, err
    for arguments in (
        ("image", "history", "--no-trunc", "app:1"),
        ("image", "history", "--format", "{{.Comment}}", "app:1"),
        ("image", "inspect", "app:1"),
        ("image", "inspect", "--format", "{{.Config.Labels}}", "app:1"),
    ):
        code, out, err = orchestra(*arguments)
        assert code == 0, err
        assert is_harmless(out + err)
        assert "owned" in out


def test_errors_show_what_they_quote():
    error = EnvironmentLack(f"the registry says: {HOSTILE}", hint=HOSTILE)
    assert render_error(error, color=False) == f"error: the registry says: {SHOWN}\n  hint: {SHOWN}\n"
    assert is_harmless(render_error(OSError(2, HOSTILE, HOSTILE), color=False))
    note = Diagnostic("code", HOSTILE, Span(HOSTILE, 1, 1, 1, 2))
    assert is_harmless(render_notes([note], color=False))
    failure = ReportedFailure(ResourceId.container(HOSTILE), HOSTILE, HOSTILE)
    assert is_harmless(render_failures([failure], color=False))


def test_problems_of_a_file_show_the_line_with_its_caret_in_place(orchestra, tmp_path, monkeypatch):
    folder = tmp_path / "x\x1b[2J"
    folder.mkdir()
    (folder / "compose.yaml").write_text('services:\n  web: {image: "a\x9b\u202e", unknown\u202e: 1, "\u202e": 2}\n')
    code, out, err = orchestra("-f", str(folder / "compose.yaml"), "config")
    assert code == 15
    assert out == ""
    assert is_harmless(err)


def test_events_show_what_they_quote():
    event = ActionEvent(0.0, "pull", ResourceId.image(HOSTILE), Phase.FAILED, error=f"{HOSTILE}\nmore")
    assert is_harmless(render_event(event))
    health = Health(HealthStatus.UNHEALTHY, output=f"{HOSTILE}\nmore")
    assert is_harmless(render_event(HealthEvent(0.0, "c", "", health)))
    assert json.dumps(HOSTILE).isascii()


def test_an_error_of_the_system_has_its_path_and_no_number():
    missing = FileNotFoundError(2, "No such file or directory", "/x")
    assert render_error(missing, color=False) == "error: /x: No such file or directory\n"
    assert render_error(OSError("odd"), color=False) == "error: odd\n"
    assert render_error(OSError(18, "Invalid cross-device link", "/x", None, "/y"), color=False).startswith(
        "error: /x -> /y: "
    )


def test_a_user_who_may_not_is_told_who_may(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    told = render_error(PermissionError(13, "Permission denied", "/x"), color=False)
    assert told == "error: /x: Permission denied\n  hint: run it as the owner of /x, or with sudo\n"
