"""The client's side of the control socket: a plain socket and JSON, so that a command needs no event loop.

If a conversation breaks off because the supervisor or the fork server was killed, it starts again: every request may
be repeated, and the supervisor records each request that changes the desired state before it acts on it.
"""

from __future__ import annotations

import os
from typing import TypeVar

from orchestra.control import wire
from orchestra.control.conversation import Conversation, OtherVersion, need_to_go_on
from orchestra.control.farewell import clear_away
from orchestra.errors import EnvironmentLack
from orchestra.linux import unix_socket
from orchestra.model.codec import decode
from orchestra.model.request import PingRequest
from orchestra.model.result import PingResult
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.control.listening import Listening
    from orchestra.control.wire import Message
    from orchestra.home import StackHome
    from orchestra.linux.process import Process
    from orchestra.model.event import Event
    from orchestra.model.request import Question

T = TypeVar("T")

ATTEMPTS = 5


class Processes(NamedTuple):
    """Those that a stack has besides its shims and containers."""

    supervisor: Process
    fork_server: Process


class Client:
    """Talks to the supervisor of one stack. driver: the driver for a supervisor that has to be started.

    parallel: how many actions may be under way while it answers; None or a number below 1 for no such limit.
    """

    def __init__(self, stack_home: StackHome, driver: str = "local", parallel: int | None = None) -> None:
        self._home = stack_home
        self._driver = driver
        self._parallel = parallel or 0
        self._early: Conversation | None = None

    def summon(self) -> None:
        """Start the fork server and the supervisor unless they are running, without waiting for either."""
        try:
            self._early = self._open(start=True)
        except ConnectionResetError:
            self._early = None  # ``ask`` tries again

    def ask(
        self,
        result: type[T],
        question: Question,
        hear: Callable[[Event], None] | None = None,
        *,
        desired: bytes | None = None,
        stop: int | None = None,
    ) -> T:
        """Return the supervisor's answer; ``hear`` is called with each event before it. desired: JSON on one line.

        stop: a descriptor; once it is readable, nothing more is asked or waited for. What was asked goes on.
        Starts the supervisor if none is running. Raises the error in its answer, EnvironmentLack if it keeps
        breaking off, and GivenUp.
        """
        return decode(result, self._converse(self._encode(question, desired), hear, start=True, stop=stop))

    def ask_if_running(
        self,
        result: type[T],
        question: Question,
        hear: Callable[[Event], None] | None = None,
        *,
        desired: bytes | None = None,
    ) -> T | None:
        """Do the same as ``ask``, but return None if no supervisor is listening."""
        try:
            return decode(result, self._converse(self._encode(question, desired), hear, start=False))
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    def listen(self) -> Listening | None:
        """Every event from now on, after a snapshot; None if no supervisor is listening. The caller closes it."""
        from orchestra.control.listening import Listening

        for _ in range(ATTEMPTS):
            try:
                conversation = self._open(start=False)
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            try:
                return Listening(conversation, self._driver)
            except (ConnectionResetError, BrokenPipeError):
                conversation.close()
            except BaseException:
                conversation.close()
                raise
        raise self._exiting("")

    def find_processes(self) -> Processes | None:
        """Of the stack; None if no supervisor is listening. Raises ConnectionResetError if it is just exiting."""
        from orchestra.linux.process import identify

        try:
            with self._open(start=False) as conversation:
                greeting = conversation.greet(wire.encode_request(PingRequest(), driver=self._driver))
                return Processes(identify(greeting["supervisor"]), identify(greeting["fork_server"]))
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    def dismiss(self) -> bool:
        """Undo ``summon``: if the stack should have no containers, the processes exit and leave nothing behind.

        Returns false, and does nothing, if they were not summoned or have been asked for something since.
        """
        if self._early is None:
            return False
        result = self.ask_if_running(PingResult, PingRequest())
        if result is not None and result.leaving:
            clear_away(self._home)
        return True

    def _encode(self, question: Question, desired: bytes | None) -> bytes:
        return wire.encode_request(question, desired, self._driver, max(self._parallel, 0))

    def _converse(
        self, request: bytes, hear: Callable[[Event], None] | None, *, start: bool, stop: int | None = None
    ) -> Message:
        before = self._recorded()
        for _ in range(ATTEMPTS):
            if stop is not None:
                need_to_go_on(stop)
            try:
                conversation, self._early = self._early or self._open(start=start), None
                with conversation:
                    return conversation.ask(request, hear, stop)
            except (ConnectionResetError, BrokenPipeError):
                continue
            except OtherVersion as other:
                if not other.is_earlier:
                    raise
                other.end()
                start = True
        if self._recorded() != before:
            raise self._exiting("; the request is recorded, and the next supervisor carries it out")
        raise self._exiting("; the request is not recorded: repeat the command")

    def _exiting(self, and_so: str) -> EnvironmentLack:
        message = f"the supervisor of stack {self._home.name} keeps exiting before it answers{and_so}"
        return EnvironmentLack(message, hint=self._reason())

    def _recorded(self) -> tuple[int, int] | None:
        """Another value once a request has been recorded."""
        try:
            found = os.stat(self._home.desired)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _reason(self) -> str:
        for directory in (self._home.data, self._home.run):
            room = os.statvfs(directory)
            if not room.f_bavail or (room.f_files and not room.f_favail):  # the log is empty in that case
                return f"the file system of {directory} has no space or no inodes left: free some"
        return f"see the end of {self._home.supervisor_log} for the reason"

    def _open(self, *, start: bool) -> Conversation:
        try:
            return Conversation(unix_socket.connect(self._home.control_socket))
        except (FileNotFoundError, ConnectionRefusedError):
            if not start:
                raise
        from orchestra.shim.launch import launch

        launch(self._home, supervisor_argv(self._home.name, self._driver))
        try:
            return Conversation(unix_socket.connect(self._home.control_socket))
        except (FileNotFoundError, ConnectionRefusedError):
            raise ConnectionResetError("the fork server has already exited") from None


def supervisor_argv(stack: str, driver: str) -> list[str]:
    """What the fork server runs."""
    return [os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py"), stack, driver]
