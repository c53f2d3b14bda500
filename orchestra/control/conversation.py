"""One conversation with the supervisor of a stack: a request, its events, its result."""

from __future__ import annotations

from orchestra import __version__
from orchestra.control import wire
from orchestra.errors import UserError
from orchestra.model.event import decode_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from orchestra.control.wire import Message
    from orchestra.model.event import Event


class Conversation:
    """One connection: one request, its events, its result."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self._searched = 0
        self._stop: int | None = None

    def fileno(self) -> int:
        return self._connection.fileno()

    def greet(self, request: bytes) -> Message:
        """The supervisor's greeting.

        Raises ConnectionResetError or BrokenPipeError when the connection breaks off, as all that follow do.
        """
        self._connection.sendall(request)
        greeting = self._receive()
        if greeting.get("orchestra") != __version__:
            raise OtherVersion(greeting)
        return greeting

    def ask(self, request: bytes, hear: Callable[[Event], None] | None, stop: int | None = None) -> Message:
        """stop: as for ``Client.ask``."""
        self._stop = stop
        self.greet(request)
        while True:
            message = self._receive()
            if "event" in message:
                if hear is not None:
                    hear(decode_event(message["event"]))
            elif "error" in message:
                raise wire.rebuild_error(message["error"])
            else:
                result: Message = message["result"]
                return result

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    @property
    def is_ready(self) -> bool:
        """Whether a message has arrived that was not asked for yet: ``fileno`` does not say so any more."""
        return b"\n" in self._buffer

    def arrived(self) -> list[Message]:
        """All messages that are complete, after waiting for some bytes unless there are any."""
        messages = list(iter(self._take, None))
        if not messages:
            self._read()
            messages = list(iter(self._take, None))
        return messages

    def _receive(self) -> Message:
        while (message := self._take()) is None:
            self._read()
        return message

    def _take(self) -> Message | None:
        """The next message, if it is complete."""
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return wire.decode(line)

    def _read(self) -> None:
        if self._stop is not None:
            from orchestra.linux.readiness import first_readable

            first_readable([self._stop, self._connection.fileno()])
            need_to_go_on(self._stop)
        data = self._connection.recv(1 << 16)
        if not data:
            raise ConnectionResetError("the supervisor closed the connection")
        self._buffer += data


class GivenUp(Exception):
    """The descriptor that ends the wait for an answer has become readable."""


def need_to_go_on(stop: int) -> None:
    from orchestra.linux.readiness import readable

    if readable(stop, 0.0):
        raise GivenUp


class OtherVersion(UserError):
    """The supervisor is of another version. is_earlier: than this one, which can take over."""

    def __init__(self, greeting: Message) -> None:
        stack, other = greeting.get("stack"), greeting.get("orchestra")
        self._pids = tuple(pid for key in ("fork_server", "supervisor") if isinstance(pid := greeting.get(key), int))
        super().__init__(
            f"stack {stack} is run by orchestra {other}, but this is orchestra {__version__}",
            hint="use that version; or stop the stack with it, and bring it up again with this one",
        )
        self.is_earlier = _release(str(other)) < _release(__version__)

    def end(self) -> None:
        """Kill fork server and supervisor. What runs is not touched: the next supervisor adopts it.

        Both stand still before one is killed: either would start the other again, with the files of this version.
        """
        import signal
        from contextlib import suppress

        from orchestra.linux.process import identify, send_signal

        found = []
        for pid in self._pids:
            with suppress(OSError):
                found.append(identify(pid))
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in found:
                with suppress(ProcessLookupError):
                    send_signal(process, number)


def _release(version: str) -> tuple[int, ...]:
    """What follows its three numbers does not count."""
    return tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())
