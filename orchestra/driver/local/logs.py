"""Reading the logs that shims write (``orchestra.shim.log``): whole lines, over rotations, from either end.

No process is asked, so logs of ended containers are read like any other. Standard library only.
"""

from __future__ import annotations

import os

from orchestra.driver.local.log_files import (
    BLOCK,
    end_of_last_record,
    find_stamp,
    first_stamp,
    identify,
    identity_of,
    list_files,
    open_files,
    read_backwards,
    stamp_of,
)
from orchestra.model.log import Gap, Line
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.driver.local.log_handover import HandedFiles

LONGEST_LINE = 16 << 20
"""An unfinished line is returned in pieces of this size, so that it need not fit into memory."""
LOOK_BACK = 1 << 18
"""How far before the last lines their beginnings, and that of an unfinished line, are looked for."""
STREAMS = 2

MISSES = 3

_FULL, _PARTIAL = b"F", b"P"
WHOLE = 4
"""Fields of a record: stamp, stream, tag and text."""


class _Unfinished:
    """A line whose end has not been read."""

    __slots__ = ("parts", "size", "stamp")

    def __init__(self, stamp: bytes, text: bytes) -> None:
        self.stamp = stamp
        self.parts = [text]
        self.size = len(text)


class LogCursor:
    """A place in the log of one container. It begins at the oldest line; the log need not exist yet.

    handed: its files that shims hand over, so that none is missed.
    """

    def __init__(self, path: str, handed: HandedFiles | None = None) -> None:
        self.behind = False
        self._path = path
        self._handed = handed
        self._stamp = b""
        self._torn: set[bytes] = set()  # streams that begin with the end of a line whose beginning is lost
        self._fd = -1
        self._offset = 0
        self._rest = b""
        self._unfinished: dict[bytes, _Unfinished] = {}

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def lines(self, most: int | None = None) -> Iterator[Line | Gap]:
        """What has been written since, up to the current end of the log. An unfinished line waits for its end.

        most: roughly how many bytes to read; ``behind`` says afterwards whether there may be more.
        """
        budget = most
        while budget is None or budget > 0:
            data = os.pread(self._fd, BLOCK, self._offset) if self._fd >= 0 else b""
            if not data:
                if self._advance():
                    yield from self._gap()
                    continue
                self.behind = False
                return
            self._offset += len(data)
            budget = None if budget is None else budget - len(data)
            *records, self._rest = (self._rest + data).split(b"\n")
            for record in records:
                fields = record.split(b" ", 3)
                if len(fields) == WHOLE and fields[2] == _FULL and not self._unfinished and not self._torn:
                    line: Line | None = Line(fields[0], fields[1], fields[3])  # most lines are one record
                else:
                    line = self._take(record)
                if line is not None:
                    self._stamp = line.stamp
                    yield line
        self.behind = True

    def _gap(self) -> Iterator[Gap]:
        handed = self._handed
        if handed is not None and (handed.lost or handed.torn):
            lost = handed.lost + len(handed.torn)
            self._torn, handed.lost, handed.torn = handed.torn, 0, set()
            self._unfinished.clear()
            yield Gap(self._stamp, lost)

    def finish(self) -> list[Line]:
        """Unfinished lines, whose end will not come."""
        left = [Line(line.stamp, stream, b"".join(line.parts)) for stream, line in self._unfinished.items()]
        self._unfinished.clear()
        return sorted(left)

    def skip_to_end(self) -> list[Line]:
        """Go on with what will be written from now on. Returns no lines, to have the same type as ``tail``."""
        self.tail(0)
        self._unfinished.clear()
        return []

    def tail(self, count: int) -> list[Line]:
        """The last ``count`` lines; goes on after them. Reads from the end, and no more than needed."""
        files = open_files(self._path)
        self.close()
        self._rest = b""
        self._unfinished.clear()
        if not files:
            return []
        self._fd, size = files[0], os.fstat(files[0]).st_size
        try:
            self._offset = end_of_last_record(self._fd, size)
            ends = [self._offset, *(os.fstat(fd).st_size for fd in files[1:])]
            collected = _collect(read_backwards(files, ends), count)
        finally:
            for fd in files[1:]:
                os.close(fd)
        for stream, parts in collected.unfinished.items():
            line = self._unfinished[stream] = _Unfinished(parts[-1].stamp, b"")
            line.parts = [part.text for part in reversed(parts)]
            line.size = sum(map(len, line.parts))
        return collected.lines

    def skip_before(self, stamp: bytes) -> None:
        """Go on with the first record that is not older, or a little before it. Uses bisection: stamps only rise."""
        files = open_files(self._path)
        self.close()
        self._rest = b""
        self._unfinished.clear()
        older = (fd for fd in files if b"" < os.pread(fd, len(stamp), 0) < stamp)
        self._fd = next(older, files[-1] if files else -1)
        for fd in files:
            if fd != self._fd:
                os.close(fd)
        self._offset = find_stamp(self._fd, os.fstat(self._fd).st_size, stamp) if files else 0

    def _take(self, record: bytes) -> Line | None:
        """The line that this record ends."""
        piece = _parse(record)
        if piece is None:
            return None
        stamp, stream, tag, text = piece
        if stream in self._torn:
            if tag == _FULL:
                self._torn = self._torn - {stream}
            return None
        line = self._unfinished.get(stream)
        if line is None:
            if tag == _FULL:
                return Line(stamp, stream, text)
            self._unfinished[stream] = _Unfinished(stamp, text)
            return None
        line.parts.append(text)
        line.size += len(text)
        if tag == _FULL or line.size > LONGEST_LINE:
            del self._unfinished[stream]
            return Line(line.stamp, stream, b"".join(line.parts))
        return None

    def _advance(self) -> bool:
        """At the end of a file: go on to the next, if this one has been rotated. False at the end of the log."""
        if self._fd < 0:
            return self._begin()
        own = identify(os.fstat(self._fd))
        misses = 0
        while True:
            names = list_files(self._path)
            known = [identity_of(name) for name in names]
            if self._is_followed():
                # So this file is complete, which it may not have been when it was read.
                if not self._has_more():
                    self._go_on(self._take_handed())
                return True
            if own in known:
                newer = names[: known.index(own)]
            elif misses < MISSES:
                misses += 1  # a file that is being renamed may be missing from the listing of its directory
                continue
            else:
                newer = names  # of another run: every file of this run would have been handed over
            if self._has_more():
                return True
            left = self._unpassed(newer)[-1:]
            if not left:
                return False
            fd = self._open(left[0], behind=own if left == newer[-1:] else None)
            if fd >= 0 and self._is_followed():
                os.close(fd)  # rotated meanwhile: it may be any that is newer
            elif fd >= 0:
                self._go_on(fd)
                return True

    def _begin(self) -> bool:
        """Begin with the oldest file."""
        fd = -1
        if not self._is_followed():
            while fd < 0 and (names := list_files(self._path)):
                fd = self._open(names[-1])
                # A rotation in between gives its name to a newer file, or hides one that is being renamed.
                if fd >= 0 and not self._is_oldest(fd):
                    os.close(fd)
                    fd = -1
        if self._is_followed():
            if fd >= 0:
                os.close(fd)  # rotated meanwhile: it is not older
            fd = self._take_handed()
        if fd < 0:
            return False
        self._go_on(fd)
        return True

    def _is_oldest(self, fd: int) -> bool:
        """Even if it has been removed meanwhile, as the oldest file is."""
        own = identify(os.fstat(fd))
        known = [identity_of(name) for name in list_files(self._path)]
        return own not in known[:-1]

    def _is_followed(self) -> bool:
        """Whether the next file has been handed over, or any file if there is no current one."""
        return self._handed is not None and self._handed.follow(first_stamp(self._fd) if self._fd >= 0 else b"")

    def _take_handed(self) -> int:
        assert self._handed is not None
        return self._handed.take()

    def _has_more(self) -> bool:
        return os.fstat(self._fd).st_size > self._offset

    def _unpassed(self, names: list[str]) -> list[str]:
        """Without the files that are counted as lost."""
        passed = self._handed.passed if self._handed is not None else b""
        return [name for name in names if stamp_of(name) > passed] if passed else names

    def _go_on(self, fd: int) -> None:
        self.close()
        self._fd, self._offset, self._rest = fd, 0, b""

    def _open(self, name: str, behind: tuple[int, int] | None = None) -> int:
        """Open it, unless a rotation has happened in between: it must be next to ``behind``. -1 if one has."""
        try:
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return -1
        if behind is not None:
            known = [identity_of(name) for name in list_files(self._path)]
            opened = identify(os.fstat(fd))
            if behind in known and opened in known and known.index(behind) - known.index(opened) != 1:
                os.close(fd)
                return -1
        return fd


class _Piece(NamedTuple):
    stamp: bytes
    stream: bytes
    tag: bytes
    text: bytes


def _parse(record: bytes) -> _Piece | None:
    """None if this is not a record: a full disk may leave only its head."""
    fields = record.split(b" ", 3)
    return _Piece(*fields) if len(fields) == WHOLE and fields[2] in (_FULL, _PARTIAL) else None


class _Collected(NamedTuple):
    """lines: in the order of the log. unfinished: by stream, pieces of the line at the end of the log, newest first."""

    lines: list[Line]
    unfinished: dict[bytes, list[_Piece]]


def _collect(records: Iterator[bytes], count: int) -> _Collected:
    """The last ``count`` lines out of records in reverse order."""
    found: list[list[_Piece]] = []
    growing: dict[bytes, list[_Piece]] = {}  # lines whose beginning has not been met
    unfinished: dict[bytes, list[_Piece]] = {}
    met: set[bytes] = set()
    budget = LOOK_BACK
    for record in records:
        piece = _parse(record)
        if piece is None:
            continue
        enough = len(found) >= count
        if piece.tag == _FULL:
            growing.pop(piece.stream, None)
            met.add(piece.stream)
            if not enough:
                found.append([piece])
                growing[piece.stream] = found[-1]
        elif piece.stream in growing:
            growing[piece.stream].append(piece)
        elif piece.stream not in met:
            growing[piece.stream] = unfinished[piece.stream] = [piece]
            met.add(piece.stream)
        if enough:
            budget -= len(record)
            if budget < 0 or (not growing and len(met) == STREAMS):
                break
    lines = [
        Line(pieces[-1].stamp, pieces[-1].stream, b"".join(piece.text for piece in reversed(pieces)))
        for pieces in reversed(found)
    ]
    return _Collected(lines, unfinished)
