"""The rotated files of one log, and places in them. Standard library only."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 1 << 18
STAMP = len("2026-01-01T00:00:00.000000000Z")


def read_backwards(fds: list[int], ends: list[int]) -> Iterator[bytes]:
    """Records, the last one first. fds: the newest file first."""
    for fd, end in zip(fds, ends, strict=True):
        rest = b""
        first = True
        while end > 0:
            begin = max(0, end - BLOCK)
            block = os.pread(fd, end - begin, begin) + rest
            end = begin
            records = (block[:-1] if first else block).split(b"\n")
            first = False
            if begin > 0:
                rest = records.pop(0)
            yield from reversed(records)


def end_of_last_record(fd: int, size: int) -> int:
    """A record that is just being written is left for later."""
    end = size
    while end > 0:
        begin = max(0, end - BLOCK)
        found = os.pread(fd, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def find_stamp(fd: int, size: int, stamp: bytes) -> int:
    """The offset of a record near the first that is not older than ``stamp``, and not after it."""
    low, high = 0, size
    while high - low > BLOCK:
        middle = (low + high) // 2
        data = os.pread(fd, BLOCK, middle)
        begin = data.find(b"\n") + 1
        if begin and data[begin : begin + len(stamp)] < stamp:
            low = middle + begin
        else:
            high = middle
    return low


def first_stamp(fd: int) -> bytes:
    """The stamp of a file's first record; empty as long as there is none."""
    return os.pread(fd, STAMP, 0)


def stamp_of(path: str) -> bytes:
    """The same; empty if there is no file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        return first_stamp(fd)
    finally:
        os.close(fd)


def list_files(path: str) -> list[str]:
    """The files of a log, the newest first: ``path``, ``path.1``, ``path.2``..."""
    directory, name = os.path.split(path)
    try:
        entries = os.listdir(directory)
    except FileNotFoundError:
        return []
    prefix = f"{name}."
    numbers = sorted(int(e[len(prefix) :]) for e in entries if e.startswith(prefix) and e[len(prefix) :].isdecimal())
    return [*([path] if name in entries else []), *(f"{path}.{number}" for number in numbers)]


def open_files(path: str) -> list[int]:
    """Every file of a log, the newest first, each once.

    Renaming only moves a file to a place that is looked at later.
    """
    fds: list[int] = []
    seen: set[tuple[int, int]] = set()
    for name in list_files(path):
        try:
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        identity = identify(os.fstat(fd))
        if identity in seen:
            os.close(fd)
            continue
        seen.add(identity)
        fds.append(fd)
    return fds


def identify(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def identity_of(path: str) -> tuple[int, int] | None:
    try:
        return identify(os.stat(path))
    except FileNotFoundError:
        return None
