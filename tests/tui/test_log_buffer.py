"""Which lines of logs are kept and shown, and what is found in them."""

from __future__ import annotations

import pytest

from orchestra.model.log import Ended, Gap, Line, Missed, Written
from orchestra.model.observed import Container, Created, Exited
from orchestra.tui.log_buffer import KEPT, LONGEST, Choice, Level, LogBuffer, LogLine, find_level, read_happening

WEB = Container("s-web-1", "web", 1, "id", "hash", "x", "digest", Created(), 0.0)


def line(text, service="web"):
    return LogLine(service, f"s-{service}-1", "", find_level(text), text)


def texts(buffer):
    return [each.text for each in buffer.shown]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("all is well", Level.INFO),
        ("2026-01-01 [error] no route", Level.ERROR),
        ('{"level":"WARN","msg":"slow"}', Level.WARNING),
        ("level=debug x=1", Level.DEBUG),
        ("terrors and warnings-to-be", Level.INFO),
        ("Traceback (most recent call last):", Level.ERROR),
        ("x" * 200 + " error", Level.INFO),
    ],
)
def test_levels_are_found_by_the_usual_words_at_the_beginning(text, level):
    assert find_level(text) is level


def test_a_choice_is_of_service_level_and_text():
    buffer = LogBuffer()
    buffer.add([line("error one"), line("fine"), line("Error two", "db")])
    buffer.choose(Choice("", Level.ERROR))
    assert texts(buffer) == ["error one", "Error two"]
    buffer.choose(Choice("db", Level.DEBUG, "TWO"))
    assert texts(buffer) == ["Error two"]
    buffer.add([line("two", "db"), line("two")])
    assert texts(buffer) == ["Error two", "two"]


def test_the_oldest_lines_are_dropped_and_counted():
    buffer = LogBuffer()
    for start in range(0, 2 * KEPT + 1000, 1000):
        buffer.add([line(str(number)) for number in range(start, start + 1000)])
    assert len(buffer.shown) == KEPT
    assert buffer.dropped == KEPT + 1000
    assert texts(buffer)[-1] == str(2 * KEPT + 999)
    buffer.choose(Choice(text="nothing has this"))
    assert texts(buffer) == []
    buffer.choose(Choice())
    assert len(buffer.shown) == KEPT


def test_a_search_goes_round_in_both_directions():
    buffer = LogBuffer()
    buffer.add([line("a"), line("B x"), line("c"), line("b y")])
    assert buffer.find("b", 0) == 1
    assert buffer.find("b", 2) == 3
    assert buffer.find("b", 4) == 1
    assert buffer.find("b", 2, backwards=True) == 1
    assert buffer.find("b", 0, backwards=True) == 3
    assert buffer.find("z", 0) is None
    assert buffer.find("", 0) is None
    buffer.clear()
    assert buffer.find("b", 0) is None


def test_lines_are_made_safe_and_short():
    read = read_happening(Written(WEB, Line(b"2026-01-01T00:00:00Z", b"stdout", b"\x1b[2Jx\ty\xff" + b"z" * 9999)))
    assert read.text.startswith("\\x1b[2Jx")
    assert "\t" not in read.text
    assert len(read.text) < LONGEST + 20
    assert (read.service, read.at) == ("web", "2026-01-01T00:00:00Z")


def test_gaps_and_ends_are_lines_too():
    assert "7 lines" in read_happening(Missed(WEB, Gap(b"", 7))).text
    ended = read_happening(Ended(WEB, Exited(exit_code=3, oom_killed=False, started_at=0.0, finished_at=1.0), False))
    assert (ended.text, ended.level) == ("s-web-1 exited with exit code 3", Level.ERROR)
