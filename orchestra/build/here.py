"""Here-documents: https://docs.docker.com/reference/dockerfile/#here-documents."""

from __future__ import annotations

import re

from orchestra.build.expand import ExpansionError, Style, expand
from orchestra.build.words import is_json_array
from orchestra.named_tuple import NamedTuple
from orchestra.record import Record
from orchestra.regex import regex

_OPENING = regex(r"\d*<<(-?)([^<]+)")
_TABS = regex("^\t+", re.MULTILINE)
_AS_WRITTEN = Style(keep_quotes=True, keep_escapes=True, keep_unset=True)
_PLAIN = Style(keep_unset=True)
_INSTRUCTION = regex(r"\s*(?:onbuild\s+)*(add|copy|run)\s(?:\s*--\S+\s)*(.*)", re.IGNORECASE | re.DOTALL)


class Opening(NamedTuple):
    """``<<NAME``: the beginning of a here-document. expands: whether its variables are replaced (NAME is not quoted).

    part: its place in the text of the instruction.
    """

    name: str
    expands: bool
    strips_tabs: bool
    part: tuple[int, int]


class HereDocument(Record):
    """content: with its tabs, and the line breaks of the file."""

    name: str
    content: str
    expands: bool = True
    strips_tabs: bool = False

    @property
    def text(self) -> str:
        """What the document contains."""
        return _TABS.sub("", self.content) if self.strips_tabs else self.content


def parse_opening(word: str, start: int = 0) -> Opening | None:
    """What a word opens, if it opens a here-document. start: of the word in the text."""
    match = _OPENING.fullmatch(word)
    if match is None:
        return None
    try:
        names, written = expand(match[2], {}, _PLAIN).words, expand(match[2], {}, _AS_WRITTEN).words
    except ExpansionError:
        return None
    if len(names) != 1:
        return None
    return Opening(names[0], names == written, bool(match[1]), (start, start + len(word)))


def openings(text: str) -> tuple[Opening, ...]:
    """The here-documents that an instruction opens, in their order. Only ADD, COPY and RUN have any."""
    match = _INSTRUCTION.match(text) if "<<" in text else None
    if match is None or is_json_array(match[2]):
        return ()
    try:
        words = expand(text, {}, _AS_WRITTEN).words
    except ExpansionError:
        return ()
    found: list[Opening] = []
    position = 0
    for word in words:
        # Spaces are not in words, and everything else is kept: the words stand in the text in this order.
        position = max(text.find(word, position), position)
        if opening := parse_opening(word, position):
            found.append(opening)
        position += len(word)
    return tuple(found)
