"""Variables, quotes and escapes in the words of a Dockerfile.

The rules are those of https://docs.docker.com/reference/dockerfile/#environment-replacement: ``$NAME``, ``${NAME}`` and
the modifiers ``:- - :+ + :? ?`` (default, alternative, required), ``# ## % %%`` (without a prefix or suffix) and
``/ //`` (replaced).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestra.named_tuple import NamedTuple
from orchestra.record import Record
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Mapping

MAXIMUM_LENGTH = 1024**2
MAXIMUM_DEPTH = 50
MAXIMUM_PATTERN = 4096


class ExpansionError(ValueError):
    """The text of a word is not valid, or a variable that it requires is not set."""


class Style(Record):
    """How quotes and escapes are treated. escape: the character that makes the next one literal.

    keep_quotes, keep_escapes: they stay in the text. ignore_quotes: they are characters like any other. keep_unset:
    a variable that is not set stays as it was written.
    """

    escape: str = "\\"
    keep_quotes: bool = False
    keep_escapes: bool = False
    ignore_quotes: bool = False
    keep_unset: bool = False


class Expansion(NamedTuple):
    """The text, the same split at the spaces that are not quoted, and the names of variables that were looked up."""

    text: str
    words: tuple[str, ...]
    found: frozenset[str]
    missing: frozenset[str]


def expand(text: str, variables: Mapping[str, str], style: Style) -> Expansion:
    """``text`` with the values of its variables. Raises ExpansionError."""
    expander = _Expander(text, variables, style)
    whole, words = expander.until("", style.keep_escapes, 0)
    return Expansion(whole, tuple(words), frozenset(expander.found), frozenset(expander.missing))


class _Words:
    """The words of a text that is given in pieces; those that are quoted are not split."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.word: list[str] = []

    def add(self, text: str) -> None:
        if not any(map(str.isspace, text)):
            self.word.append(text)
            return
        for character in text:
            if not character.isspace():
                self.word.append(character)
            else:
                self.end()

    def add_quoted(self, text: str) -> None:
        self.word.append(text)

    def end(self) -> None:
        if word := "".join(self.word):
            self.done.append(word)
        self.word = []


class _Expander:
    def __init__(self, text: str, variables: Mapping[str, str], style: Style) -> None:
        self.text = text
        self.position = 0
        self.variables = variables
        self.style = style
        self.keep_escapes = style.keep_escapes
        self.found: set[str] = set()
        self.missing: set[str] = set()

    @property
    def next(self) -> str:
        """The character that follows; empty at the end."""
        return self.text[self.position : self.position + 1]

    def take(self) -> str:
        character = self.next
        self.position += 1
        return character

    def until(self, stop: str, keep_escapes: bool, depth: int) -> tuple[str, list[str]]:
        """What is before the character ``stop``, which is taken too; before the end if it is empty."""
        if depth > MAXIMUM_DEPTH:
            raise ExpansionError("variables are nested too deeply")
        outside, self.keep_escapes = self.keep_escapes, keep_escapes
        parts: list[str] = []
        length = 0
        words = _Words()
        while character := self.next:
            if character == stop:
                break
            if character == "$":
                part = self.dollar(depth)
                words.add(part)
            elif character in "'\"" and not self.style.ignore_quotes:
                part = self.single_quoted() if character == "'" else self.double_quoted(depth)
                words.add_quoted(part)
            elif self.take() != self.style.escape:
                part = character
                words.add(part)
            else:
                # At the end of a word there is nothing to escape.
                part = (character if self.keep_escapes else "") + self.take()
                words.add_quoted(part)
            parts.append(part)
            length += len(part)
            if length > MAXIMUM_LENGTH:
                raise ExpansionError(f"with its variables this is longer than {MAXIMUM_LENGTH // 1024**2} MiB")
        if stop and not character:
            raise ExpansionError(f"the {stop} of a ${{…}} is missing")
        self.position += len(stop)
        self.keep_escapes = outside
        words.end()
        return "".join(parts), words.done

    def single_quoted(self) -> str:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            raise ExpansionError("a single quote is never closed")
        start, self.position = self.position, end + 1
        return self.text[start : end + 1] if self.style.keep_quotes else self.text[start + 1 : end]

    def double_quoted(self, depth: int) -> str:
        quote = self.take() if self.style.keep_quotes else self.take()[:0]
        parts = [quote]
        while True:
            character = self.next
            if not character:
                raise ExpansionError("a double quote is never closed")
            if character == "$":
                parts.append(self.dollar(depth))
                continue
            self.position += 1
            if character == '"':
                return "".join(parts) + quote
            if character == self.style.escape:
                if self.keep_escapes:
                    parts.append(character)
                if not self.next:
                    continue
                # As in a shell, an escape that escapes nothing is a character.
                if self.next in ('"', "$", self.style.escape):
                    character = self.take()
                elif self.keep_escapes:
                    continue
            parts.append(character)

    def dollar(self, depth: int) -> str:
        self.position += 1
        if self.next != "{":
            name = self.name()
            if not name:
                return "$"
            value = self.look_up(name)
            return (f"${name}" if self.style.keep_unset else "") if value is None else value
        self.position += 1
        if self.next in ("{", "}", ":"):
            raise ExpansionError("a name of a variable has to follow ${")
        name = self.name()
        match self.take():
            case "}":
                value = self.look_up(name)
                return (f"${{{name}}}" if self.style.keep_unset else "") if value is None else value
            case "/":
                return self.replaced(name, depth)
            case ":":
                return self.modified(name, ":", self.take(), depth)
            case operator:
                return self.modified(name, "", operator, depth)

    def modified(self, name: str, colon: str, operator: str, depth: int) -> str:
        if not operator:
            raise ExpansionError("the } of a ${…} is missing")
        if operator not in "-+?#%":
            raise ExpansionError(f"{colon}{operator} is not a modifier of a variable")
        word, _ = self.until("}", operator in "#%", depth + 1)
        value = self.look_up(name)
        if value is None and self.style.keep_unset:
            return f"${{{name}{colon}{operator}{word}}}"
        lacks = value is None or bool(colon and not value)
        match operator:
            case "-":
                return word if lacks else value or ""
            case "+":
                return "" if lacks else word
            case "?":
                if lacks:
                    state = "unset" if value is None else "empty"
                    raise ExpansionError(f"{name}: {word or f'is not allowed to be {state}'}")
                return value or ""
            case _:
                pattern = _Pattern(word.removeprefix(operator), longest=word.startswith(operator))
                return pattern.without(value or "", at_end=operator == "%")

    def replaced(self, name: str, depth: int) -> str:
        slash = ""
        if self.next == "/":
            slash = self.take()
        pattern, _ = self.until("/", True, depth + 1)
        replacement, _ = self.until("}", True, depth + 1)
        value = self.look_up(name)
        if value is None and self.style.keep_unset:
            return f"${{{name}/{slash}{pattern}/{replacement}}}"
        return _Pattern(pattern, longest=True).replace(value or "", replacement, everywhere=bool(slash))

    def name(self) -> str:
        match = _NAME.match(self.text, self.position)
        if match is None:
            return ""
        self.position = match.end()
        return match[0]

    def look_up(self, name: str) -> str | None:
        value = self.variables.get(name)
        (self.missing if value is None else self.found).add(name)
        return value


# Digits and the special parameters of a shell are names too: no variable has them, so that they are empty.
_NAME = regex(r"\d+|[@*#?$!-]|[^\W\d]\w*")


class _Pattern:
    """A pattern of a shell with ``*`` and ``?``. longest: whether of the possible matches the longest is meant.

    Its fixed parts are found one after another, so that no pattern takes long.
    """

    def __init__(self, text: str, longest: bool) -> None:
        if len(text) > MAXIMUM_PATTERN:
            raise ExpansionError(f"the pattern of a variable is longer than {MAXIMUM_PATTERN} characters")
        self.chunks: list[list[str]] = [[]]
        self.longest = longest
        characters = iter(text)
        for character in characters:
            if character == "*":
                self.chunks.append([])
            elif character == "?":
                self.chunks[-1].append(".")
            elif character == "\\":
                escaped = next(characters, "")
                if escaped not in ("*", "?", "\\", "}", "/"):
                    raise ExpansionError(
                        f"\\{escaped} in the pattern of a variable; only *, ?, \\, }} and / are escaped"
                    )
                self.chunks[-1].append(re.escape(escaped))
            else:
                self.chunks[-1].append(re.escape(character))

    def without(self, value: str, at_end: bool) -> str:
        """``value`` without what matches at its beginning or end."""
        if at_end:
            end = self._end_of_match(value[::-1], [chunk[::-1] for chunk in reversed(self.chunks)], 0)
            return value if end is None else value[: len(value) - end]
        end = self._end_of_match(value, self.chunks, 0)
        return value if end is None else value[end:]

    def replace(self, value: str, replacement: str, everywhere: bool) -> str:
        if self.chunks == [[]]:
            return value
        first = _compiled(self.chunks[0])
        done: list[str] = []
        position = 0
        while (match := first.search(value, position)) is not None:
            end = self._end_of_match(value, self.chunks, match.start())
            if end is None:
                break
            done += (value[position : match.start()], replacement)
            position = end
            if not everywhere or position == len(value):
                break
        return "".join(done) + value[position:]

    def _end_of_match(self, value: str, chunks: list[list[str]], start: int) -> int | None:
        """The end of the match at ``start``.

        If parts in between are found as early as possible, most is left for the last one.
        """
        match = _compiled(chunks[0]).match(value, start)
        for chunk in chunks[1:-1]:
            match = match and _compiled(chunk).search(value, match.end())
        if match is None or len(chunks) == 1:
            return match and match.end()
        if not self.longest:
            last = _compiled(chunks[-1]).search(value, match.end())
            return last and last.end()
        # Backwards, the last place is the first one.
        backwards = _compiled(chunks[-1][::-1]).search(value[match.end() :][::-1])
        return backwards and len(value) - backwards.start()


def _compiled(chunk: list[str]) -> re.Pattern[str]:
    return re.compile("".join(chunk), re.DOTALL)
