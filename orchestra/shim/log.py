"""The log of a container in the CRI text format, rotated, and the pump that fills it without losing a byte.

A record is ``2026-01-01T00:00:00.000000000Z stdout F text``; the tag is P if the line goes on in the next record of
the same stream. A chunk of output is first *shown* (tee(2)), noted in a shared mapping, written, and only then taken
out of the pipe: if a shim is killed between any two of these steps, enough is left for the next one to go on with the
very next byte.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from contextlib import suppress

from orchestra.linux.pipe import tee
from orchestra.shim import stack_log
from orchestra.shim.followers import Followers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 65536
LOOK_BACK = 4 * CHUNK
_NOTE = struct.Struct("<QQII")  # offset in the log, bytes written there, bytes of output, stream (0: nothing noted)

_FEW = mmap.PAGESIZE - _NOTE.size

STREAMS = ("", "stdout", "stderr")


class LogFile:
    """An append-only file of known size. Older files get ``.1``, ``.2``... and ``max_file`` counts them all."""

    def __init__(self, path: str, max_size: int, max_file: int, followers: str = "") -> None:
        """max_size: in bytes, 0 for no limit; followers: the directory of its followers' sockets."""
        self.path = path
        self.max_size = max_size
        self.max_file = max(1, max_file)
        self._followers = Followers(followers, path, self.max_file)
        self._open()

    def _open(self) -> None:
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.size = os.fstat(self._fd).st_size

    def hand_over(self, *, last: bool = False) -> None:
        """To its followers, before it is renamed or may be removed."""
        if self.size:
            self._followers.hand_over(self, last=last)

    def close(self) -> None:
        self._followers.close()
        os.close(self._fd)

    def count_lines(self) -> int:
        """The lines that end in the newest file."""
        count, offset, rest = 0, 0, b""
        while block := os.pread(self._fd, CHUNK, offset):
            offset += len(block)
            *records, rest = (rest + block).split(b"\n")
            count += sum(record.split(b" ", 3)[2:3] == [b"F"] for record in records)
        return count

    def make_room(self, length: int) -> None:
        """Rotate when ``length`` more bytes would exceed the size. A record is never split between files.

        OSError if there cannot be another file; the next call tries again.
        """
        if not self.max_size or not self.size or self.size + length <= self.max_size:
            return
        # It is missing if the last attempt could not open another: the older files have moved on then.
        if os.path.exists(self.path):
            self.hand_over()
            self._move_on()
        full = self._fd
        self._open()
        os.close(full)

    def _move_on(self) -> None:
        if self.max_file == 1:
            os.unlink(self.path)
            return
        for number in range(self.max_file - 1, 0, -1):
            older = self.path if number == 1 else f"{self.path}.{number - 1}"
            with suppress(FileNotFoundError):
                os.rename(older, f"{self.path}.{number}")

    def append(self, text: bytes) -> None:
        """Write all of it, or nothing if the disk is full or fails: OSError."""
        view = memoryview(text)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        self.size += len(text)

    def cut(self, size: int) -> None:
        os.ftruncate(self._fd, size)
        self.size = size

    def unfinished(self) -> set[str]:
        """The streams whose last record here is partial. Only the end of the file is read."""
        begin = max(0, self.size - LOOK_BACK)
        last: dict[str, str] = {}
        for line in os.pread(self._fd, self.size - begin, begin).split(b"\n"):
            fields = line.split(b" ", 3)
            if len(fields) == 4:
                last[fields[1].decode(errors="replace")] = fields[2].decode(errors="replace")
        return {stream for stream, tag in last.items() if tag == "P" and stream in STREAMS[1:]}


class Stamp:
    """Time stamps of RFC 3339 with nanoseconds; the part down to the second is rendered once a second."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""
        self._last = 0

    def now(self) -> str:
        """Later than the one before, even if the clock is set back."""
        self._last = max(time.time_ns(), self._last + 1)
        second, nanosecond = divmod(self._last, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{nanosecond:09d}Z"


def render_records(data: bytes, stream: str, stamp: str) -> bytes:
    """``data`` as records of one stream; an unfinished last line becomes a partial record."""
    full = f"{stamp} {stream} F ".encode()
    lines = data.split(b"\n")
    rest = lines.pop()
    parts = [full + line + b"\n" for line in lines]
    if rest:
        parts.append(f"{stamp} {stream} P ".encode() + rest + b"\n")
    return b"".join(parts)


class LogWriter:
    """Moves output from the container's pipes or terminal into its log. ``log`` None: output is read and dropped.

    What it needs is made when the first output comes: many containers have none.
    """

    def __init__(self, note_path: str) -> None:
        self._log: LogFile | None = None
        self._note_path = note_path
        self._note: mmap.mmap | None = None
        self._reserved = 0
        self._stamp = Stamp()
        self._chunk = CHUNK
        self._shown = self._show = -1
        self._unfinished: set[str] = set()

    def open(self, log: LogFile | None) -> None:
        self._log = log
        if log is not None and log.max_size:
            self._chunk = max(512, min(CHUNK, log.max_size // 4))

    def close(self) -> None:
        for fd in (self._shown, self._show):
            if fd >= 0:
                os.close(fd)
        self._close_note()
        if self._log is not None:
            self._log.close()

    def _close_note(self) -> None:
        if self._note is not None:
            self._payload.release()
            self._note.close()
            self._note = None

    def _reserve_note(self, count: int) -> mmap.mmap:
        """Reserve room to note so much output: a page, or as much as there may ever be.

        Writing to a mapping without room on the disk ends every shim of this process with SIGBUS, so the room is
        reserved first. If there is none, the note is in memory, and a kill may lose a chunk or write it twice.
        """
        if self._note is not None and count <= self._reserved:
            return self._note
        self._close_note()
        self._reserved = CHUNK if count > _FEW else _FEW
        try:
            fd = os.open(self._note_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, _NOTE.size + self._reserved)
                self._note = mmap.mmap(fd, _NOTE.size + self._reserved)
            finally:
                os.close(fd)
        except OSError:
            self._reserved = CHUNK
            self._note = mmap.mmap(-1, _NOTE.size + CHUNK)
        self._payload = memoryview(self._note)[_NOTE.size :]
        return self._note

    def _tee(self, pipe: int, count: int) -> int:
        if self._show < 0:
            self._shown, self._show = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        return tee(pipe, self._show, count)

    def pump(self, pipe: int, stream: int) -> bytes | None:
        """Log the next chunk of a pipe and return it. None at the end of the stream; b"" if there is nothing now."""
        try:
            count = self._tee(pipe, self._chunk)
        except BlockingIOError:
            return b""
        if count == 0:
            return None
        note = self._reserve_note(count)
        count = os.readv(self._shown, [self._payload[:count]])
        data = bytes(self._payload[:count])
        if self._log is not None:
            data, text = self._render(data, STREAMS[stream])
            count = len(data)
            self._append(text, lambda log: _NOTE.pack_into(note, 0, log.size, len(text), count, stream))
        self._take(pipe, count)
        _NOTE.pack_into(note, 0, 0, 0, 0, 0)
        return data

    def pump_terminal(self, master: int) -> bytes | None:
        """Like ``pump``, for a terminal: it has no tee(2), so a chunk may be lost if the shim is killed."""
        try:
            data = os.read(master, self._chunk)
        except BlockingIOError:
            return b""
        except OSError:
            return None  # EIO: the last process that had it open is gone, pts(4)
        rest = data
        while rest and self._log is not None:
            part, text = self._render(rest, "stdout")
            self._append(text)
            rest = rest[len(part) :]
        return data or None

    def close_lines(self) -> None:
        """Called at the end of a run: an unfinished line must not go on in the first line of the next run.

        Hands the log to its followers: it may be removed before they look again.
        """
        if self._log is None:
            return
        for stream in sorted(self._unfinished):
            text = f"{self._stamp.now()} {stream} F \n".encode()
            self._append(text)
        self._unfinished.clear()
        self._log.hand_over(last=True)

    def recover(self, pipes: dict[int, int]) -> None:
        """Finish or undo what a killed shim was doing. pipes: stream to descriptor."""
        note = self._reserve_note(0)
        offset, length, count, stream = _NOTE.unpack_from(note, 0)
        if stream not in pipes or self._log is None:
            return
        note = self._reserve_note(count)
        if self._log.size < offset + length:
            self._log.cut(min(offset, self._log.size))
        elif self._head(pipes[stream], count) == self._payload[:count]:
            self._take(pipes[stream], count)
        _NOTE.pack_into(note, 0, 0, 0, 0, 0)

    def resume(self) -> None:
        """Take over from a killed shim: only the log knows whether a line was unfinished."""
        if self._log is not None:
            self._unfinished = self._log.unfinished()

    def _render(self, data: bytes, stream: str) -> tuple[bytes, bytes]:
        """As much of ``data`` as one file may hold, and its records: time stamps make short lines many times longer."""
        assert self._log is not None
        stamp, limit = self._stamp.now(), self._log.max_size
        while True:
            text = render_records(data, stream, stamp)
            if not limit or len(text) <= limit or len(data) == 1:
                (self._unfinished.discard if data.endswith(b"\n") else self._unfinished.add)(stream)
                return data, text
            half = data[: len(data) // 2]
            data = half[: half.rfind(b"\n") + 1] or half

    def _append(self, text: bytes, announce: Callable[[LogFile], None] = lambda _log: None) -> None:
        """announce: called just before writing, with the log and so the place."""
        assert self._log is not None
        try:
            self._log.make_room(len(text))
            announce(self._log)
            self._log.append(text)
        except OSError as error:
            # A container must not stop because its log's disk is full: the chunk is lost, and the stack's log says so.
            stack_log.write(f"log {self._log.path}: {len(text)} bytes lost: {error.strerror}")

    def _head(self, pipe: int, count: int) -> bytes:
        try:
            shown = self._tee(pipe, count)
        except BlockingIOError:
            return b""
        return os.read(self._shown, shown) if shown else b""

    @staticmethod
    def _take(pipe: int, count: int) -> None:
        while count:
            count -= len(os.read(pipe, count))
