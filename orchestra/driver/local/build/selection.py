"""Which files the paths of a COPY mean, below a root that no symbolic link leads out of.

Paths are relative to that root, which has ``/`` as its own name; ``..`` stops there. The wildcards are those of Go's
``filepath.Match``, part by part. Source: the Dockerfile reference, "COPY".
"""

from __future__ import annotations

import os
import posixpath
import re
import stat
from errno import ELOOP, ENOENT, ENOTDIR
from typing import TYPE_CHECKING

from orchestra.build.ignore import Ignore
from orchestra.errors import UserError
from orchestra.linux.mounts.resolve import open_in_root
from orchestra.record import Record
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WILDCARD = regex(r"(?:[^\\*?\[]|\\.)*[*?\[]", re.DOTALL)
ESCAPE = regex(r"\\(.)", re.DOTALL)
NOTHING = Ignore()
PIVOT = "/./"
"""What ``--parents`` keeps begins after this."""


class Place(Record):
    """Where files are copied from. root: O_PATH. ignore: what is as good as not there. name: for messages."""

    root: int
    name: str
    ignore: Ignore = NOTHING


class Match(Record):
    """One thing to copy. path: below the root, after symbolic links. name: as it was written, or found.

    above: with ``--parents``, the directories to keep, as they were written. seen: its path for ``--exclude``, empty
    for a directory of which only the content is copied.
    """

    path: str
    name: str
    is_directory: bool
    above: str = ""
    seen: str = ""

    @property
    def directories_above(self) -> list[str]:
        """Those to keep, as paths below the root. On the other side of a symbolic link they may not be there."""
        parts = self.above.split("/") if self.above else []
        before = self.path.split("/")[: -len(parts) - 1] if parts else []
        return ["/".join([*before, *parts[: number + 1]]) for number in range(len(parts))]


class Selection:
    """What is copied of one match. Patterns of the place are relative to it, those to exclude to what is copied."""

    def __init__(self, place: Place, match: Match, exclude: Ignore) -> None:
        self._lists = [(one, top) for one, top in ((place.ignore, match.path), (exclude, match.seen)) if one]

    def leaves_out(self, path: str, *, is_directory: bool) -> bool:
        """Whether it is left out with all that is in it. path: below the match, empty for the match itself."""
        return any(not (is_directory and one.may_contain(whole)) for one, whole in self._against(path))

    def passes_over(self, path: str) -> bool:
        """Whether it is left out itself, though something in it may not be."""
        return bool(self._against(path))

    def _against(self, path: str) -> list[tuple[Ignore, str]]:
        paths = ((one, posixpath.join(top, path) if path else top) for one, top in self._lists)
        return [(one, whole) for one, whole in paths if whole and one.is_ignored(whole)]


def find_matches(place: Place, patterns: Iterable[str], *, parents: bool = False) -> list[Match]:
    """In the order of the patterns. Raises UserError for a path without wildcards that is not there."""
    found: list[Match] = []
    for pattern in patterns:
        before, pivot, _ = pattern.partition(PIVOT)
        kept_from = len(_parts(before)) if pivot else 0
        for path in _expand(place, _parts(pattern), pattern):
            match = _match(place, path)
            if match is None:
                raise not_found(place, pattern)
            above = "/".join(path.split("/")[kept_from:-1]) if parents else ""
            seen = posixpath.join(above, match.name) if parents or not match.is_directory else ""
            found.append(Match(match.path, match.name, match.is_directory, above, seen))
    return found


def not_found(place: Place, path: str) -> UserError:
    hint = "a pattern of .dockerignore leaves it out" if place.ignore.is_ignored("/".join(_parts(path))) else ""
    return UserError(f"/{'/'.join(_parts(path))} does not exist in {place.name}", hint=hint)


def _parts(path: str) -> list[str]:
    return [part for part in posixpath.normpath(f"/{path}").split("/") if part]


def _expand(place: Place, parts: list[str], pattern: str) -> Iterator[str]:
    """The paths that a pattern means; one without wildcards means itself."""
    if not any(map(WILDCARD.match, parts)):
        yield ESCAPE.sub(r"\1", "/".join(parts))
        return
    here = [""]
    for number, part in enumerate(parts):
        if not WILDCARD.match(part):
            here = [posixpath.join(path, ESCAPE.sub(r"\1", part)) for path in here]
            continue
        try:
            # Not an exception of .dockerignore, which begins with an exclamation mark.
            matcher = Ignore((f"\\{part}" if part.startswith("!") else part,))
        except ValueError as error:
            raise UserError(f"{pattern}: {error}") from None
        last = number == len(parts) - 1
        here = [
            posixpath.join(path, name)
            for path in here
            for name in _names(place, path)
            if matcher.is_ignored(name) and _is_there(place, posixpath.join(path, name), directory=not last)
        ]
    yield from (path for path in here if _is_there(place, path, directory=False))


def _names(place: Place, path: str) -> list[str]:
    try:
        fd = open_in_root(place.root, path or "/", os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno in (ENOENT, ENOTDIR, ELOOP):
            return []
        raise
    try:
        return sorted(os.listdir(fd))
    finally:
        os.close(fd)


def _is_there(place: Place, path: str, *, directory: bool) -> bool:
    match = _match(place, path)
    return match is not None and (match.is_directory or not directory)


def _match(place: Place, path: str) -> Match | None:
    try:
        fd = open_in_root(place.root, path or "/", os.O_PATH)
    except OSError as error:
        if error.errno in (ENOENT, ENOTDIR, ELOOP):
            return None
        raise
    try:
        is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
        real = _path_of(place.root, fd)
    finally:
        os.close(fd)
    ignore = place.ignore
    if real and ignore.is_ignored(real) and not (is_directory and ignore.may_contain(real)):
        return None
    return Match(real, posixpath.basename(path), is_directory)


def _path_of(root: int, fd: int) -> str:
    """The path of an open file below the root, without symbolic links (proc_pid_fd(5))."""
    top, path = os.readlink(f"/proc/self/fd/{root}"), os.readlink(f"/proc/self/fd/{fd}")
    return posixpath.relpath(path, top) if path != top else ""
