"""What the page is told, and what not."""

from __future__ import annotations

import json
from types import SimpleNamespace

from orchestra.model.event import ActionEvent, ContainerEvent, Phase, PullEvent
from orchestra.model.log import Ended, Gap, Line, Missed, Written
from orchestra.model.observed import Exited
from orchestra.model.resource import ResourceId
from orchestra.web.shape import MASK, event_data, masked
from orchestra.web.streams import LINES, LONGEST, render_lines
from orchestra.web.terminal import read_size


def test_values_of_names_like_secrets_are_masked():
    assert masked("DB_PASSWORD", "hunter22") == MASK
    assert masked("DATABASE", "postgres://shop:hunter22@db/shop") == MASK
    assert masked("DB_NAME", "shop") == "shop"
    assert masked("DB_PASSWORD_FILE", "/run/secrets/db") == "/run/secrets/db"


def test_a_failed_action_is_told_with_its_error():
    event = ActionEvent(1.0, "start", ResourceId.container("web-1"), Phase.FAILED, error="no such program")
    told = event_data(event)
    assert told == {
        "at": 1.0, "what": "start failed", "subject": "container/web-1", "detail": "no such program", "bad": True,
    }  # fmt: skip


def test_ends_are_bad_if_their_exit_code_is():
    assert event_data(ContainerEvent(1.0, "web-1", "web", "exited", 3))["bad"]
    assert not event_data(ContainerEvent(1.0, "web-1", "web", "exited", 0))["bad"]


def test_the_progress_of_a_pull_is_no_event_of_the_page():
    assert event_data(PullEvent(1.0, ResourceId.container("x"), 1, 2)) is None


def rows(happenings):
    return [row for data in render_lines(happenings) for row in json.loads(data.partition(b"data: ")[2])]


def test_lines_are_sent_in_messages_of_a_bounded_size():
    container = SimpleNamespace(name="web-1")
    many = [Written(container, Line(b"2026", b"stdout", b"x\n"))] * (2 * LINES + 1)
    assert len(list(render_lines(many))) == 3
    assert rows(many) == [["web-1", "2026", "stdout", "x"]] * len(many)


def test_a_line_is_cut_off_and_may_hold_any_bytes():
    container = SimpleNamespace(name="web-1")
    text = b"\xff\0</script>\ndata: x" + b"y" * 2 * LONGEST
    ((_name, _stamp, _stream, found),) = rows([Written(container, Line(b"2026", b"stderr", text))])
    assert found.startswith("\ufffd\0</script>\ndata: xy")
    assert len(found) <= LONGEST


def test_gaps_and_ends_are_told_between_the_lines():
    container = SimpleNamespace(name="web-1")
    ended = Ended(container, Exited(3, 1.0, 2.0), False)
    assert [row[2:] for row in rows([Missed(container, Gap(b"2026", 7)), ended])] == [
        ["gap", "7 lines are lost"],
        ["end", "exit code 3"],
    ]


def test_a_size_is_two_numbers():
    assert read_size("[24, 80]") == (24, 80)
    assert read_size("[0, 100000]") == (1, 1000)
    for other in ("", "{}", "[1]", "[1,2,3]", '["a","b"]', "[" * 100000, "x", "[1.5, 2]"):
        assert read_size(other) is None
