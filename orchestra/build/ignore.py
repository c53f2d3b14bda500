"""Patterns of files: those of ``.dockerignore``, of ``COPY --exclude`` and of ``develop.watch``. Pure.

The language is that of https://docs.docker.com/build/concepts/context/#dockerignore-files: Go's ``filepath.Match``
with ``**``, the last matching pattern decides, and what is below a match is matched too.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from orchestra.errors import Diagnostic, DockerfileError, Span
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    _Matches = Callable[[str], re.Match[str] | None]

# What such a `**` matches may have to be tried at every place: each one multiplies the time by the length of a path.
_MOST_CROSSING = 2
_STAR = "*"
_DIRECTORIES = "**/"
_CROSSING = "(?:.*/)?"
_ALL = ".*"
_EVERYTHING = ("*", "**", "**/*")
_SPECIAL = ("*", "?", "[", "]", "\\")
# What may match a slash. A negated set does, in Docker.
_MAY_CROSS = regex(r"(?<!\[\^)/|\[\^(?!/\])|\.\*|(?<!\\)-")


class _Pattern:
    """text: without ``!``. keeps: whether it is an exception, so that what it matches is not ignored."""

    __slots__ = ("keeps", "matches", "parts", "text")

    def __init__(self, text: str, keeps: bool) -> None:
        tokens = _tokens(text)
        self.text = text
        self.keeps = keeps
        self.matches = re.compile(_expression(tokens), re.DOTALL).fullmatch
        self.parts: tuple[_Matches | None, ...] = tuple(_part(part) for part in text.split("/")) if keeps else ()

    def may_match_below(self, parts: list[str]) -> bool:
        """Whether the pattern can match something below the directory whose path has these parts."""
        for part, matches in zip(parts, self.parts, strict=False):
            if matches is None:
                return True
            if not matches(part):
                return False
        return len(self.parts) > len(parts)


class Ignore:
    """Which files are ignored. Paths are relative to the directory that the patterns are about, with ``/``."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        """patterns: as in the lines of ``.dockerignore``. Raises ValueError for one that is not valid."""
        self._patterns = tuple(_parse(pattern) for pattern in patterns if pattern.strip())
        self._keeping = tuple(pattern for pattern in self._patterns if pattern.keeps)
        # Of each directory: which of the patterns match it or one above it.
        self._above: dict[str, tuple[bool, ...]] = {"": (False,) * len(self._patterns)}

    def __bool__(self) -> bool:
        return bool(self._patterns)

    @property
    def has_exceptions(self) -> bool:
        return bool(self._keeping)

    @property
    def ignores_everything(self) -> bool:
        """Whether a single pattern matches every path; there may be exceptions."""
        return any(pattern.text in _EVERYTHING and not pattern.keeps for pattern in self._patterns)

    def is_ignored(self, path: str) -> bool:
        """Whether the file or directory at ``path`` is left out."""
        return self._match(path)[1]

    def may_contain(self, path: str) -> bool:
        """Whether something below the directory ``path``, which is ignored itself, may not be ignored."""
        return any(pattern.may_match_below(path.split("/")) for pattern in self._keeping)

    def _known(self, directory: str) -> tuple[bool, ...]:
        if directory not in self._above:
            # From the top, without recursion: a path may have more parts than Python has frames.
            for slash in re.finditer("/", directory):
                above = directory[: slash.start()]
                if above not in self._above:
                    self._above[above] = self._match(above)[0]
            self._above[directory] = self._match(directory)[0]
        return self._above[directory]

    def _match(self, path: str) -> tuple[tuple[bool, ...], bool]:
        known = self._known(path.rpartition("/")[0])
        ignored = False
        matched: list[bool] = []
        for pattern, matches in zip(self._patterns, known, strict=True):
            # A pattern that would not change the answer is not asked, for this path and so for those below it.
            matches = matches or (pattern.keeps == ignored and pattern.matches(path) is not None)
            matched.append(matches)
            if matches:
                ignored = not pattern.keeps
        return tuple(matched), ignored


def parse_ignore(text: str, name: str = ".dockerignore") -> Ignore:
    """The patterns of a ``.dockerignore`` file. name: of the file, for errors. Raises DockerfileError."""
    patterns: list[str] = []
    problems: list[Diagnostic] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        pattern = line.strip()
        if line.startswith("#") or not pattern:
            continue
        keeps = pattern.startswith("!")
        # A leading slash is the context's own directory here; in other lists of patterns it is not.
        rooted = _clean(pattern[1:].strip() if keeps else pattern)
        pattern = ("!" if keeps else "") + (rooted[1:] if len(rooted) > 1 and rooted[0] == "/" else rooted)
        try:
            _parse(pattern)
        except ValueError as error:
            column = len(line) - len(line.lstrip()) + 1
            span = Span(name, number, column, number, len(line.rstrip()) + 1)
            problems.append(Diagnostic("ignore-pattern", str(error), span, source_line=line.rstrip("\r")))
        patterns.append(pattern)
    if problems:
        raise DockerfileError(tuple(problems))
    return Ignore(patterns)


def _parse(pattern: str) -> _Pattern:
    pattern = pattern.strip()
    keeps = pattern.startswith("!")
    text = pattern.removeprefix("!")
    if not text:
        raise ValueError("an exception needs a pattern after the !")
    return _Pattern(_clean(text), keeps)


def _clean(path: str) -> str:
    """As Go's ``filepath.Clean``, which unlike Python's knows no path that begins with two slashes."""
    return posixpath.normpath(re.sub("^/+", "/", path)) if path else path


def _part(part: str) -> _Matches | None:
    """What matches one part of a path; None when the part may stand for any number of them."""
    if "**" in part:
        return None
    try:
        return re.compile(_expression(_tokens(part)), re.DOTALL).fullmatch
    except ValueError:
        return None  # a slash within brackets


def _tokens(pattern: str) -> list[str]:
    """The pattern in pieces: regular expressions of what is fixed, and wildcards. Raises ValueError."""
    tokens: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if pattern.startswith("**", position - 1):
            begins = position == 1 or pattern[position - 2] == "/"
            position += 1
            is_last = position >= len(pattern)
            if is_last:
                tokens.append(_ALL)
            elif pattern[position] == "/" and begins:
                position += 1
                tokens.append(_DIRECTORIES)
            elif position == 2 and not any(special in pattern[2:] for special in _SPECIAL):
                tokens.append(_ALL)  # with nothing else that is special, Docker compares how the paths end
            else:
                position += pattern[position] == "/"
                tokens.append(_CROSSING)
        elif character == "*":
            tokens.append(_STAR)
        elif character == "?":
            tokens.append("[^/]")
        elif character == "[":
            token, position = _class(pattern, position)
            tokens.append(token)
        elif character == "\\":
            if position == len(pattern):
                raise ValueError("the pattern ends in a backslash")
            tokens.append(re.escape(pattern[position]))
            position += 1
        else:
            tokens.append(re.escape(character))
    if tokens.count(_CROSSING) > _MOST_CROSSING:
        raise ValueError(f"the pattern has more than {_MOST_CROSSING} ** that are not a directory of their own")
    return tokens


def _class(pattern: str, position: int) -> tuple[str, int]:
    """The set of characters whose ``[`` stands before ``position``, and the position after its ``]``."""
    ranges: list[str] = []
    negated = pattern.startswith("^", position)
    position += negated
    while not (ranges and pattern.startswith("]", position)):
        first, position = _member(pattern, position)
        last = first
        if pattern.startswith("-", position):
            last, position = _member(pattern, position + 1)
        if first > last:
            raise ValueError(f"the range {first}-{last} in brackets ends before it begins")
        ranges.append(re.escape(first) if first == last else f"{re.escape(first)}-{re.escape(last)}")
    return f"[{'^' * negated}{''.join(ranges)}]", position + 1


def _member(pattern: str, position: int) -> tuple[str, int]:
    position += pattern.startswith("\\", position)
    if position >= len(pattern):
        raise ValueError("a [ is never closed")
    if pattern[position] in "-]" and pattern[position - 1] != "\\":
        raise ValueError(
            f"brackets need a character where {pattern[position]} stands; write \\{pattern[position]} for it"
        )
    return pattern[position], position + 1


def _expression(tokens: list[str]) -> str:
    """The regular expression.

    Where the first match of a part is as good as any, no other is tried (``(?>…)``): no pattern takes long on any path.
    """
    segments: list[list[str]] = [[]]
    for token in tokens:
        if token == _DIRECTORIES:
            segments.append([])
        else:
            segments[-1].append(token)
    first, *others = map(_segment, segments)
    if not others:
        return first
    *between, last = others
    return first + "".join(f"(?>(?:.*?/)??{segment})" for segment in between if segment) + f"(?:.*/)?{last}"


def _segment(tokens: list[str]) -> str:
    chunks: list[list[str]] = [[]]
    for token in tokens:
        if token == _STAR:
            chunks.append([])
        else:
            chunks[-1].append(token)
    text = "".join(chunks[0])
    for number, chunk in enumerate(chunks[1:], 1):
        fixed = "".join(chunk)
        is_followed = number < len(chunks) - 1
        text += f"(?>[^/]*?{fixed})" if is_followed and not _MAY_CROSS.search(fixed) else f"[^/]*{fixed}"
    return text
