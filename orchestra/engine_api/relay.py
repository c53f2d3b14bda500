"""Between a client's bare socket and the streams of a program: a thread for each direction."""

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from orchestra.engine_api.errors import Hangup

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from orchestra.shim.attachment import Attachment
    from orchestra.shim.client import Execution
    from orchestra.stacks.detach_keys import DetachKeys

CHUNK = 1 << 17


class Program(Protocol):
    """What a client is connected with. over: nothing more will be written."""

    over: bool

    def sources(self) -> list[int]:
        """Readable when the program has written something, or has ended."""

    def read(self, ready: Collection[int]) -> Iterator[tuple[int, bytes]]:
        """Streams by number, and what was written to each."""

    def write(self, data: bytes, client: socket.socket) -> None:
        """Waits for the program to take it. Raises OSError when it does not any more, or the client has hung up."""

    def end_input(self) -> None: ...


class AttachedProgram:
    """A container's first process. takes_input: else what the client writes is thrown away."""

    def __init__(self, attachment: Attachment, *, takes_input: bool = True) -> None:
        self._attachment = attachment
        self._takes_input = takes_input
        self.over = False

    def sources(self) -> list[int]:
        return [self._attachment.fileno()]

    def read(self, ready: Collection[int]) -> Iterator[tuple[int, bytes]]:
        if ready:
            yield from self._attachment.read()
            self.over = self._attachment.over

    def write(self, data: bytes, client: socket.socket) -> None:
        if self._takes_input:
            _write_all(self._attachment.fileno(), self._attachment.render_input(data), client)

    def end_input(self) -> None:
        if self._takes_input:
            os.write(self._attachment.fileno(), self._attachment.render_input(b""))


class ExecutedProgram:
    """One that was executed in a container. pipes: by stream; stdin: -1 for none. A terminal is both."""

    def __init__(self, execution: Execution, pipes: dict[int, int], stdin: int) -> None:
        self._execution = execution
        self._pipes = pipes
        self._stdin = stdin
        self.over = False

    def sources(self) -> list[int]:
        return [*self._pipes.values(), self._execution.fileno()]

    def read(self, ready: Collection[int]) -> Iterator[tuple[int, bytes]]:
        has_ended = self._execution.fileno() in ready
        for stream, fd in list(self._pipes.items()):
            while fd in ready or has_ended:
                data = _read(fd)
                if data:
                    yield stream, data
                elif data is not None:
                    del self._pipes[stream]
                if not data or not has_ended:
                    break
        self.over = has_ended

    def write(self, data: bytes, client: socket.socket) -> None:
        if self._stdin >= 0:
            _write_all(self._stdin, data, client)

    def end_input(self) -> None:
        """A terminal goes on: its end is a character."""
        self.close()

    def close(self) -> None:
        """Our end of standard input; a terminal is the execution's."""
        if self._execution.terminal < 0 and self._stdin >= 0:
            fd, self._stdin = self._stdin, -1
            os.close(fd)


def _read(fd: int) -> bytes | None:
    """b"" at the end; None when nothing is there yet."""
    try:
        return os.read(fd, CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""  # EIO: a terminal that no process has open any more


def _write_all(fd: int, data: bytes, client: socket.socket) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.register(client, 0)
            if any(ready == client.fileno() for ready, _ in poll.poll()):
                raise ConnectionResetError("the client has hung up") from None


def relay(
    client: socket.socket,
    first: bytes,
    program: Program,
    render: Callable[[int, bytes], bytes],
    *,
    takes_input: bool,
    keys: DetachKeys | None = None,
    conclude: Callable[[], None] = lambda: None,
) -> None:
    """Until the program has ended and all is written, or the client has hung up. first: input that has come already.

    keys: by which the client can leave; the program goes on. conclude: called when the program has ended, before the
    client sees the end of the stream, since it then asks at once how the program has ended.

    Raises Hangup when the client cannot be written to any more. Nothing can be written to it afterwards.
    """
    feeder = threading.Thread(target=_feed, args=(client, first, program, keys), name="input", daemon=True)
    if takes_input:
        feeder.start()
    try:
        while not program.over:
            poll = select.poll()
            poll.register(client, 0)  # a client that has only closed its input still listens
            for fd in program.sources():
                poll.register(fd, select.POLLIN)
            ready = {fd for fd, _ in poll.poll()}
            if client.fileno() in ready:
                return
            for stream, data in program.read(ready):
                client.sendall(render(stream, data))
        conclude()
    except OSError as error:
        raise Hangup from error
    finally:
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        if takes_input:
            feeder.join()


def _feed(client: socket.socket, data: bytes, program: Program, keys: DetachKeys | None) -> None:
    try:
        while data := data or client.recv(CHUNK):
            program.write(data if keys is None else keys.passed(data), client)
            if keys is not None and keys.are_typed:
                client.shutdown(socket.SHUT_RDWR)  # the other direction ends with that
                return
            data = b""
        program.end_input()
    except OSError:
        return  # the client or the program is gone: the other direction ends for its own reasons


def await_either(client: socket.socket, fd: int, seconds: float | None = None) -> bool:
    """Whether ``fd`` is readable; False when the client has hung up first, or the time is up."""
    poll = select.poll()
    poll.register(client, 0)
    poll.register(fd, select.POLLIN)
    return any(each == fd for each, _ in poll.poll(None if seconds is None else seconds * 1000))
