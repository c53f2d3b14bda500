"""The client's side of an attachment to a container: its output by stream, its end, and the way to its input."""

from __future__ import annotations

import os
import select
from errno import ENODATA

from orchestra.container import wire
from orchestra.linux import tty, unix_socket
from orchestra.linux.syscall import SystemCallError
from orchestra.shim import client
from orchestra.shim.frames import END, INPUT, Frames, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

CHUNK = 1 << 18


class Attachment:
    """directory: of the container. terminal: the master, or -1. ended: its run is over, with ``exit_code``.

    exit_code: None where it could not be learned. over: nothing more will come. Close it in the end.
    """

    def __init__(self, connection: socket.socket, directory: str) -> None:
        """Raises OSError when the other side hangs up at once."""
        self._connection = connection
        self._directory = directory
        self._frames = Frames()
        answer, fds = receive_greeting(connection)
        self.terminal = fds[0] if fds else -1
        self.over = self.ended = False
        self.exit_code: int | None = None
        if "error" in answer:
            raise wire.rebuild_error(answer["error"])
        connection.setblocking(False)

    def fileno(self) -> int:
        return self._connection.fileno()

    def read(self) -> Iterator[tuple[int, bytes]]:
        """What is there: the number of a stream, 1 or 2, and what was written to it."""
        try:
            data = self._connection.recv(CHUNK)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        self.over = not data
        for number, content in self._frames.take(data):
            if number == END:
                self.ended, self.exit_code = True, int(content) if content else None
            elif number != INPUT:
                yield number, content

    @staticmethod
    def render_input(data: bytes) -> bytes:
        """What to write to ``fileno`` for this input; for none, that its end has come."""
        return frame(INPUT, data)

    def resize(self, size: tty.Size) -> None:
        if self.terminal < 0:
            raise SystemCallError(ENODATA, "resize", "", "the container has no terminal")
        tty.set_size(self.terminal, size)

    def signal(self, number: int) -> None:
        """To the first process. ProcessLookupError when it has ended."""
        client.kill(self._directory, number)

    def close(self) -> None:
        self._connection.close()
        if self.terminal >= 0:
            os.close(self.terminal)
            self.terminal = -1

    def __enter__(self) -> Attachment:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def receive_greeting(connection: socket.socket) -> tuple[wire.Message, list[int]]:
    """The line before the frames, and nothing of them. ConnectionResetError when the other side has hung up."""
    line = b""
    fds: list[int] = []
    while not line.endswith(b"\n"):
        data, more = unix_socket.receive(connection, 1)
        if not data:
            raise ConnectionResetError("connection closed without an answer")
        line += data
        fds += more
    return wire.decode(line), fds


def attach(directory: str) -> Attachment:
    """To a container that runs. FileNotFoundError or ConnectionRefusedError when it does not."""
    connection = unix_socket.connect(f"{directory}/shim.sock")
    try:
        wire.send(connection, {"op": "attach"})
        return Attachment(connection, directory)
    except BaseException:
        connection.close()
        raise


class Call:
    """A socket at which a shim reaches us when a run of its container begins. ``fileno`` is readable when it does."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._listener = unix_socket.listen(path)

    def fileno(self) -> int:
        return self._listener.fileno()

    @property
    def has_come(self) -> bool:
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        return bool(poll.poll(0))

    def answer(self, directory: str) -> Attachment:
        """directory: of the container. Raises OSError when the other side has hung up."""
        connection, _address = self._listener.accept()
        try:
            return Attachment(connection, directory)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        self._listener.close()
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            return  # with the directory of the stack
