"""Blobs on their way into the content store, by digest: one writer at a time, and nothing is fetched twice.

``ingest/<hex>`` holds what has come so far. It stays if its writer dies, and the next one goes on from there. What is
there is hashed again, so bytes that a crash has spoilt only cost another attempt. flock(2) on the file itself keeps
other writers waiting. If the name refers to another file once a writer has the lock, it looks again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import os
from typing import TYPE_CHECKING

from orchestra.driver.local.image.content.arrival import Arrival
from orchestra.linux import private_files

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 18


class Ingest:
    """path: of what has come, ``offset`` bytes. size: the final one. ``resumed``: another writer left some of them."""

    def __init__(self, file: io.FileIO, path: str, size: int) -> None:
        self._arrival = Arrival()
        self._file = file
        self.path = path
        self.size = size
        self.offset = 0
        self._hash = hashlib.sha256()
        while chunk := file.read(CHUNK):
            self._hash.update(chunk)
            self.offset += len(chunk)
        if self.offset > size:
            self.restart()
        self.resumed = self.offset > 0

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):  # what was left would only keep the disk full
                self.discard()
            raise
        self._hash.update(chunk)
        self.offset += len(chunk)
        self._arrival.reach(self.offset)

    def follow(self, arrival: Arrival) -> None:
        """Report progress to it from now on."""
        self._arrival = arrival
        arrival.reach(self.offset)

    def restart(self) -> None:
        """Forget all of it."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.offset = 0
        self.resumed = False
        self._arrival.reach(0)

    def discard(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def name(self, path: str) -> None:
        """Make it appear complete."""
        # Without fsync(2) the name could survive a power failure without the content.
        os.fsync(self._file.fileno())
        os.rename(self.path, path)


@contextlib.contextmanager
def open_ingest(directory: str, digest: str, size: int, blob: str) -> Iterator[Ingest | None]:
    """None if ``blob``, its final path, exists already. Waits for another writer of the same blob."""
    private_files.make_directories(directory)
    path = ingest_path(directory, digest)
    with contextlib.ExitStack() as stack:
        file = _locked(path, stack)
        if _size(blob) == size:
            os.unlink(path)
            yield None
            return
        ingest = Ingest(file, path, size)
        try:
            yield ingest
        except BaseException:
            if not ingest.offset:
                ingest.discard()
            raise


def remove_ingests(directory: str) -> int:
    """Remove files without a writer. Returns the number of bytes freed."""
    freed = 0
    for name in _list(directory):
        path = f"{directory}/{name}"
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if _is_named(file.fileno(), path):
                freed += os.fstat(file.fileno()).st_size
                os.unlink(path)
    return freed


def ingested(directory: str) -> int:
    """Bytes of all blobs that are not complete yet."""
    return sum(max(0, _size(f"{directory}/{name}")) for name in _list(directory))


def ingested_of(directory: str, digest: str) -> int:
    """Bytes that have come of a blob."""
    return max(0, _size(ingest_path(directory, digest)))


def ingest_path(directory: str, digest: str) -> str:
    """The path of an incomplete blob."""
    return f"{directory}/{digest.removeprefix('sha256:')}"


def _locked(path: str, stack: contextlib.ExitStack) -> io.FileIO:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        file = io.FileIO(descriptor, "r+")  # unbuffered: everything that a killed writer had received is there
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_named(descriptor, path):
                return stack.enter_context(file)
        except BaseException:
            file.close()
            raise
        file.close()


def _is_named(descriptor: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return -1


def _list(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
