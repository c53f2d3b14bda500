"""What a page tells a reader to write and to run: its fenced blocks, in order.

A block with a title is a file: ``yaml title="compose.yaml"``. A ``console`` block is a session in a shell: a line that
begins with ``$ `` is a command, lines that begin with ``> `` continue it, and what follows is its output. A block
``{.console .untested}`` is neither. Other blocks are refused: they would not be tested, or not be rendered.

Output is compared line by line. These rules, and no others, allow a difference:

- A line ``...`` stands for any number of lines, and ``...`` within a line for any text.
- Dates, times of day, numbers with a unit of time, and hexadecimal numbers of twelve digits or more equal each other.
- The width of blanks does not matter, since columns are as wide as their widest cell.
- Successive lines of progress (`` Container web-1 Started``) may come in another order.
"""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import PurePath

from orchestra.record import Record

FENCE = re.compile(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", re.MULTILINE)
TITLE = re.compile(r'[a-z]+ title="([^"]+)"')
PROGRESS = re.compile(r" (Container|Image|Network|Volume) \S+ [A-Z]")
ALIKE = (
    (re.compile(r"\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?"), "DATE"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "TIME"),
    (re.compile(r"\b(\d+(\.\d+)? ?(ms|s|m|h|seconds?|minutes?|hours?)|Less than a second|About a minute)\b"), "SPAN"),
    (re.compile(r"\b[0-9a-f]{12,}\b"), "HEX"),
    (re.compile(r"[ \t]+"), " "),
)


class File(Record):
    path: str
    text: str


class Command(Record):
    text: str
    output: str


class Untested(Record):
    text: str


Step = File | Command | Untested


def read_page(text: str) -> list[Step]:
    """Its steps. ValueError: a block is of no known kind, or a session begins with something else than a command."""
    if "```" in FENCE.sub("", text):
        raise ValueError("a fence that begins or ends no block")
    steps: list[Step] = []
    for indent, info, body in FENCE.findall(text):
        lines = [line.removeprefix(indent) for line in body.splitlines()]
        title = TITLE.fullmatch(info)
        if info == "{.console .untested}":
            steps.append(Untested("\n".join(lines)))
        elif title:
            steps.append(File(read_path(title[1]), "".join(f"{line}\n" for line in lines)))
        elif info == "console":
            steps += read_session(lines)
        else:
            raise ValueError(f"a block that is neither a file nor a session: ```{info}\n{body}")
    return steps


def read_path(title: str) -> str:
    path = PurePath(title)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"a file outside of the page's folder: {title}")
    return title


def read_session(lines: list[str]) -> list[Command]:
    commands: list[Command] = []
    for line in lines:
        last = commands[-1] if commands else None
        if line.startswith("$ "):
            commands.append(Command(line[2:], ""))
        elif last is None:
            raise ValueError(f"a session that begins with no command: {line}")
        elif line.startswith("> ") and not last.output:
            commands[-1] = Command(f"{last.text}\n{line[2:]}", "")
        else:
            commands[-1] = Command(last.text, f"{last.output}{line}\n")
    return commands


def is_shown(expected: str, actual: str) -> bool:
    """Whether the actual output is what the page shows."""
    here, there = alike(expected), alike(actual)
    return is_match(here, there) or is_match(in_order(here), in_order(there))


def is_match(expected: str, actual: str) -> bool:
    return re.fullmatch(render_pattern(expected), actual + "\n") is not None


def alike(text: str) -> str:
    """The text without what may differ from run to run."""
    for pattern, word in ALIKE:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))


def in_order(text: str) -> str:
    """With the lines of progress between two others sorted."""
    runs = groupby(text.split("\n"), lambda line: bool(PROGRESS.match(line)))
    return "\n".join(line for progress, run in runs for line in (sorted(run) if progress else run))


def render_pattern(text: str) -> str:
    """The regular expression of whole lines that ``...`` makes of a text."""
    parts = []
    for line in text.split("\n"):
        if line.strip() == "...":
            parts.append("(?:.*\n)*?")
        else:
            parts.append(".*".join(map(re.escape, line.split("..."))) + "\n")
    return "".join(parts)
