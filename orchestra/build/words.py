"""The arguments of an instruction as words. Quotes stay: they are removed when variables are replaced."""

from __future__ import annotations

import json

from orchestra.build.problem import Wrong
from orchestra.named_tuple import NamedTuple
from orchestra.regex import regex

_SPACES = regex(r"[\t\v\f\r ]+")
_WORD = regex(r"[^\t\v\f\r ]+")


class Word(NamedTuple):
    """part: its place in the text of the instruction."""

    text: str
    part: tuple[int, int]


def split_flags(text: str, start: int) -> tuple[list[Word], int]:
    """The words that begin with ``--`` at ``start``, without quotes and escapes, and where the rest begins."""
    flags: list[Word] = []
    position = start
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if not text.startswith("--", position):
            return flags, position
        begin = position
        word, position = _flag(text, position)
        if word == "--":
            return flags, position
        flags.append(Word(word, (begin, position)))


def _flag(text: str, position: int) -> tuple[str, int]:
    word: list[str] = []
    quote = ""
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
            word.append(text[position : position + 1])
        elif quote:
            if character == quote:
                quote = ""
            else:
                word.append(character)
        elif character in "'\"":
            quote = character
        elif character.isspace():
            break
        else:
            word.append(character)
        position += 1
    return "".join(word), min(position, len(text))


def split_spaces(text: str, start: int) -> list[Word]:
    """The words between spaces; quotes do not count."""
    return [Word(match[0], match.span()) for match in _WORD.finditer(text, start)]


def split_quoted(text: str, start: int, escape: str) -> list[Word]:
    """The words between spaces that are neither quoted nor escaped."""
    words: list[Word] = []
    begin, quote, position = -1, "", start
    while position < len(text):
        character = text[position]
        if not quote and character.isspace():
            if begin >= 0:
                words.append(Word(text[begin:position], (begin, position)))
            begin = -1
            position += 1
            continue
        if begin < 0:
            begin = position
        if character == escape and quote != "'":
            position += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        position += 1
    if begin >= 0:
        word = text[begin:]
        # An escape at the very end has nothing to escape.
        words.append(Word(word[:-1] if position > len(text) else word, (begin, len(text))))
    return words


def parse_json_array(text: str, start: int) -> list[str] | None:
    """The strings of a JSON array; None if the text is something else. Raises Wrong for other values in the array."""
    if not is_json_array(text[start:]):
        return None
    values = json.loads(text[start:])
    if not all(isinstance(value, str) for value in values):
        raise Wrong("when using JSON array syntax, arrays must be comprised of strings only", "", (start, len(text)))
    if any("\0" in value for value in values):
        raise Wrong("an argument contains a NUL", "no program can be given such a value", (start, len(text)))
    # Halves of surrogate pairs cannot be given to a program.
    return [value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for value in values]


def is_json_array(text: str) -> bool:
    if not text.lstrip().startswith("["):
        return False
    try:
        return isinstance(json.loads(text), list)
    except (ValueError, RecursionError):
        return False


def split_name(text: str) -> tuple[str, str] | None:
    """The two parts of ``NAME value``, the old form of ENV and LABEL."""
    parts = _SPACES.split(text, maxsplit=1)
    return (parts[0], parts[1]) if len(parts) == 2 else None
