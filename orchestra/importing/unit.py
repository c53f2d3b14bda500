"""Files of systemd units, read line by line: ``systemd.syntax(7)``."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from orchestra.errors import Diagnostic, Span
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_QUIET = {
    "Unit": ("Description", "Documentation", "After", "Wants", "Before", "StartLimitIntervalSec", "StartLimitBurst"),
    "Service": ("TimeoutStartSec", "TimeoutStopSec", "RestartSec", "Type", "RemainAfterExit"),
    "Install": ("WantedBy", "RequiredBy"),
    "Container": ("Notify", "ReadOnlyTmpfs"),
    "Network": ("Label",),
    "Volume": ("Label",),
}
"""What says how systemd does it, and nothing of the containers."""


class Line(NamedTuple):
    """Of a section of a file. word: its key."""

    path: str
    number: int
    section: str
    word: str
    value: str

    @property
    def span(self) -> Span:
        return Span(self.path, self.number, 1, self.number, len(self.word) + 1)


def parse(path: str, text: str) -> Iterator[Line]:
    """Lines that end with a backslash go on in the next one; comments between them are left out."""
    section, begun, start = "", "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith(("#", ";")) or not (line or begun):
            continue
        start = start if begun else number
        if raw.endswith("\\"):
            begun += raw[:-1] + " "
            continue
        whole, begun = (begun + raw).strip(), ""
        if whole.startswith("["):
            section = whole.strip("[]")
        elif "=" in whole:
            word, _, value = whole.partition("=")
            yield Line(path, start, section, word.strip(), value.strip())


def split(path: str, text: str) -> list[tuple[str, str]]:
    """Names and texts of units: one file, or one that holds several, with ``# FileName=`` before each."""
    parts = re.split(r"(?m)^---\s*$\n?", text)
    found = []
    for part in parts:
        named = re.search(r"(?m)^# FileName=(.+)$", part)
        kind = next((kind for kind in ("Container", "Volume", "Network", "Pod") if f"[{kind}]" in part), "")
        found.append((f"{named[1].strip()}.{kind.lower()}" if named else path, part))
    return found


class Unit:
    """The lines of a file, of which is noted what is taken."""

    def __init__(self, lines: Sequence[Line], losses: list[Diagnostic]) -> None:
        self._left = [line for line in lines if line.word not in _QUIET.get(line.section, ())]
        self._losses = losses

    def has(self, word: str) -> bool:
        return any(line.word == word for line in self._left)

    def each(self, word: str) -> list[Line]:
        """An empty value takes back what was said before it."""
        found: list[Line] = []
        for line in [line for line in self._left if line.word == word]:
            self._left.remove(line)
            found = [*found, line] if line.value else []
        return found

    def one(self, word: str) -> str:
        found = self.each(word)
        return found[-1].value if found else ""

    def words(self, word: str) -> list[str]:
        return [part for line in self.each(word) for part in words_of(line.value)]

    def lose(self, line: Line, reason: str, code: str = "not-translated") -> None:
        subject = f"{line.section}.{line.word}"
        self._losses.append(Diagnostic(code, f"{subject}: {reason}", line.span, subject))

    def lose_all(self, reason: str) -> None:
        for line in self._left[:1]:
            self.lose(line, reason)
        self._left.clear()

    def settle(self) -> None:
        for line in self._left:
            self.lose(line, "has no counterpart")


def words_of(value: str) -> list[str]:
    return [unescaped(word) for word in shlex.split(value)]


def unescaped(text: str) -> str:
    """What systemd would replace is not known here, apart from what stands for the signs themselves."""
    return text.replace("%%", "%").replace("$$", "$")
