"""The last lines of the logs of a stack, and which of them are shown. Pure."""

from __future__ import annotations

import re
from enum import IntEnum
from itertools import islice
from typing import TYPE_CHECKING

from orchestra.record import Record
from orchestra.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.model.log import Happening

KEPT = 10_000
LONGEST = 2_000
"""Characters of a line that are kept."""


class Level(IntEnum):
    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3


_WORDS = (
    (Level.ERROR, re.compile(r"\b(error|err|fatal|panic|critical|crit|alert|emerg|exception|traceback)\b", re.I)),
    (Level.WARNING, re.compile(r"\b(warning|warn)\b", re.I)),
    (Level.DEBUG, re.compile(r"\b(debug|trace|verbose)\b", re.I)),
)
HEAD = 120
"""Characters at the beginning of a line in which its level is looked for."""


class LogLine(Record):
    """text: safe to show. at: RFC 3339."""

    service: str
    container: str
    at: str
    level: Level
    text: str


class Choice(Record):
    """What is shown. service: empty for all. text: must be part of the line, in any case of letters."""

    service: str = ""
    level: Level = Level.DEBUG
    text: str = ""

    def takes(self, line: LogLine) -> bool:
        return (
            line.level >= self.level
            and self.service in ("", line.service)
            and (not self.text or self.text.lower() in line.text.lower())
        )


class LogBuffer:
    """shown: the lines of the choice, the oldest first. dropped: how many lines went out of ``shown`` at its front."""

    def __init__(self) -> None:
        self.choice = Choice()
        self.shown: list[LogLine] = []
        self.dropped = 0
        self._kept: list[LogLine] = []

    def add(self, lines: Iterable[LogLine]) -> None:
        fresh = list(lines)
        self._kept += fresh
        self.shown += filter(self.choice.takes, fresh)
        # Both may grow to twice their size, so that lines are not moved for each one that comes.
        if len(self._kept) > 2 * KEPT:
            del self._kept[:-KEPT]
        if len(self.shown) > 2 * KEPT:
            self.dropped += len(self.shown) - KEPT
            del self.shown[:-KEPT]

    def choose(self, choice: Choice) -> None:
        self.choice = choice
        self.shown = list(filter(choice.takes, self._kept))

    def clear(self) -> None:
        self._kept, self.shown = [], []

    def find(self, text: str, start: int, *, backwards: bool = False) -> int | None:
        """The next shown line with this text, from ``start`` on and then from the other end; None if there is none."""
        wanted, count = text.lower(), len(self.shown)
        step = -1 if backwards else 1
        for number in islice(range(count), count if wanted else 0):
            index = (start + step * number) % count
            if wanted in self.shown[index].text.lower():
                return index
        return None


def read_happening(happened: Happening) -> LogLine:
    from orchestra.model.log import Gap, Line

    container, what = happened.container, happened[1]
    if isinstance(what, Line):
        text = what.text.decode(errors="replace").rstrip("\r\n")[:LONGEST]
        text = visible(text.expandtabs())
        return LogLine(container.service, container.name, what.stamp.decode(), find_level(text), text)
    if isinstance(what, Gap):
        text = f"{what.lines} lines are missing here: they were rotated away"
        return LogLine(container.service, container.name, what.stamp.decode(), Level.WARNING, text)
    code = "with an unknown exit code" if what.exit_code is None else f"with exit code {what.exit_code}"
    level = Level.ERROR if what.exit_code else Level.INFO
    return LogLine(container.service, container.name, "", level, f"{container.name} exited {code}")


def find_level(text: str) -> Level:
    """By the usual words for it; INFO without one."""
    return next((level for level, words in _WORDS if words.search(text, 0, HEAD)), Level.INFO)
