"""The text of a Dockerfile as instructions with their arguments, still as text, each with its place.

Parser directives, comments, continuation lines and here-documents end here. See
https://docs.docker.com/reference/dockerfile/#format and https://docs.docker.com/reference/dockerfile/#parser-directives.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from orchestra.build.here import HereDocument, Opening, openings
from orchestra.build.problem import Wrong, diagnose
from orchestra.errors import Span
from orchestra.record import Record
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.errors import Diagnostic

_DIRECTIVE = regex(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$")
# No program can be given a NUL, and half of a surrogate pair cannot be written.
_NO_TEXT = regex("[\0\ud800-\udfff]")
_KNOWN = frozenset({"syntax", "escape", "check"})


class Directives(Record):
    """The parser directives. syntax: as written; it has no effect. escape: the character. check: as written."""

    syntax: str = ""
    escape: str = "\\"
    check: str = ""


class Line(Record):
    """One instruction. text: without comments and line breaks, from its keyword on.

    pieces: where in the text each line of the file begins, with its number and the column of its first character.
    comments: those right above it. empty: the numbers of empty lines within it.
    """

    path: str
    text: str
    pieces: tuple[tuple[int, int, int], ...]
    end_line: int
    documents: tuple[HereDocument, ...] = ()
    comments: tuple[str, ...] = ()
    empty: tuple[int, ...] = ()

    @property
    def keyword(self) -> str:
        """The name of the instruction, as written."""
        return self.text.split(None, 1)[0]

    def place(self, start: int, end: int) -> Span:
        """The place of a part of the text, up to the end of the line that it begins on."""
        number = bisect_right(self.pieces, start, key=lambda piece: piece[0]) - 1
        offset, line, column = self.pieces[number]
        limit = self.pieces[number + 1][0] if number + 1 < len(self.pieces) else len(self.text)
        first = column + start - offset
        return Span(self.path, line, first, line, max(first + 1, column + min(end, limit) - offset))

    @property
    def span(self) -> Span:
        """The place of the whole instruction, with its here-documents."""
        first, last = self.place(0, 1), self.place(len(self.text) - 1, len(self.text))
        if self.end_line > last.line:
            return Span(self.path, first.line, first.column, self.end_line, 1)
        return Span(self.path, first.line, first.column, last.line, last.end_column)


class Lines(Record):
    """problems: those of the text as such; the instructions with one are not among the lines."""

    directives: Directives
    lines: tuple[Line, ...]
    source: tuple[str, ...]
    problems: tuple[Diagnostic, ...]


def read_lines(text: str, path: str) -> Lines:
    """The instructions of a Dockerfile. path: of the file, for places."""
    reader = _Reader(text.removeprefix("\ufeff"), path)
    reader.check_text()
    lines = tuple(reader.lines())
    directives = Directives(**reader.directives)
    return Lines(directives, lines, tuple(line.rstrip("\r\n") for line in reader.source), tuple(reader.problems))


class _Reader:
    def __init__(self, text: str, path: str) -> None:
        self.source = text.split("\n")
        if not self.source[-1]:
            self.source.pop()
        self.path = path
        self.number = 0
        self.directives: dict[str, str] = {}
        self.may_direct = True
        self.problems: list[Diagnostic] = []
        self.set_escape("\\")

    def set_escape(self, escape: str) -> None:
        # Two of them at the end of a line are a character and not a continuation.
        self.continues = re.compile(rf"(?<!{re.escape(escape)}){re.escape(escape)}[ \t]*$")

    def check_text(self) -> None:
        for number, line in enumerate(self.source, 1):
            if match := _NO_TEXT.search(line):
                column = match.start() + 1
                self.wrong("the text contains a NUL or an incomplete character", number, column, column)

    def next_line(self) -> str | None:
        """The next line of the file, without its end."""
        if self.number == len(self.source):
            return None
        self.number += 1
        return self.source[self.number - 1].rstrip("\r")

    def wrong(self, message: str, line: int, column: int, end: int) -> None:
        span = Span(self.path, line, column, line, max(end, column + 1))
        self.problems.append(diagnose(self.source, message, span))

    def lines(self) -> Iterator[Line]:
        comments: list[str] = []
        while (raw := self.next_line()) is not None:
            text = raw.lstrip()
            if text.startswith("#"):
                comment = text[1:].strip()
                if not self.direct(text) and comment:
                    comments.append(comment)
                elif not comment:
                    comments = []
                continue
            self.may_direct = False
            line = self.instruction(text, len(raw) - len(text) + 1, tuple(comments)) if text else None
            comments = []
            if line is not None:
                yield line

    def direct(self, text: str) -> bool:
        """Whether a comment is a parser directive: only those at the very beginning are."""
        match = _DIRECTIVE.match(text) if self.may_direct else None
        key = match[1].lower() if match else ""
        self.may_direct = key in _KNOWN
        if match is None or not self.may_direct:
            return False
        if key in self.directives:
            self.wrong(f"only one {key} parser directive can be used", self.number, 1, len(text) + 1)
        self.directives[key] = match[2]
        if key == "escape":
            if match[2] in ("\\", "`"):
                self.set_escape(match[2])
            else:
                self.wrong(
                    f"invalid escape token {match[2]!r} does not match ` or \\",
                    self.number,
                    match.start(2) + 1,
                    match.end(2) + 1,
                )
                self.directives[key] = "\\"
        return True

    def instruction(self, first: str, column: int, comments: tuple[str, ...]) -> Line | None:
        """The instruction whose first line has just been read."""
        pieces: list[tuple[int, int, int]] = []
        empty: list[int] = []
        parts: list[str] = []
        length = 0
        line: str | None = first
        while line is not None:
            if pieces and line.lstrip().startswith("#"):
                line = self.next_line()
                continue
            if pieces and not line.strip():
                empty.append(self.number)
                line = self.next_line()
                continue
            end = self.continues.search(line)
            part = line[: end.start()] if end else line
            pieces.append((length, self.number, column))
            parts.append(part)
            length += len(part)
            column = 1
            if end is None:
                break
            line = self.next_line()
        text = "".join(parts).rstrip()
        if not text:
            return None
        found = Line(self.path, text, tuple(pieces), self.number, (), comments, tuple(empty))
        try:
            documents = tuple(self.document(opening, found) for opening in openings(text))
        except Wrong as error:
            where = found.place(*error.part) if error.part else found.span
            self.problems.append(diagnose(self.source, error.message, where, error.hint))
            return None
        return (
            Line(self.path, text, tuple(pieces), self.number, documents, comments, tuple(empty)) if documents else found
        )

    def document(self, opening: Opening, line: Line) -> HereDocument:
        content: list[str] = []
        while (raw := self.next_line()) is not None:
            if (raw.lstrip("\t") if opening.strips_tabs else raw) == opening.name:
                return HereDocument(opening.name, "".join(content), opening.expands, opening.strips_tabs)
            content.append(self.source[self.number - 1] + "\n")
        raise Wrong(
            f"unterminated heredoc: no line with {opening.name} alone",
            "the end of a here-document stands on a line of its own, without spaces",
            opening.part,
        )
