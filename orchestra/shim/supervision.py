"""The supervisor as its parent sees it: starting it, and when to start it again.

The fork server imports this and starts the supervisor before it imports the rest of itself, because a supervisor takes
longest to start. The first supervisor is forked, not executed: an interpreter and what both import cost a third of its
start. Later ones are executed: by then, what the fork server has imported may be another version than the files.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from orchestra.container import open_files
from orchestra.linux import process, unix_socket
from orchestra.shim import stack_log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

FIRST_DELAY = 0.05
LONGEST_DELAY = 5.0
STEADY_SECONDS = 10.0

NAME = "orchestra-supervisor"
CONTROL_FD = "ORCHESTRA_CONTROL_FD"
PARENT_FD = "ORCHESTRA_PARENT_FD"


class Backoff:
    """Seconds until the next start: 0, then 0.05, doubling up to 5. After a life of 10 s it begins at 0 again."""

    def __init__(self) -> None:
        self._delay = 0.0

    def next_delay(self, lifetime: float) -> float:
        """How long to wait before starting what has just ended after ``lifetime``."""
        if lifetime >= STEADY_SECONDS:
            self._delay = 0.0
        delay = self._delay
        self._delay = min(max(FIRST_DELAY, delay * 2), LONGEST_DELAY)
        return delay


class Supervisor:
    """Its program, its listening control socket, and its current process; pid 0 while there is none."""

    def __init__(self, argv: Sequence[str], paths: Sequence[str], control_path: str) -> None:
        """argv: a file of Python and its arguments; paths: where that finds modules."""
        self._argv = argv
        self._paths = paths
        self.control = unix_socket.listen(control_path)
        self.pid = 0
        self._born = 0.0
        self._backoff = Backoff()
        # Only this process has the writing end: when it closes, the supervisor learns that this process has ended.
        self._parent_pipe, self._parent_pipe_writer = os.pipe2(os.O_CLOEXEC)

    def start(self) -> None:
        start = execute if self._born else fork
        self._born = time.monotonic()
        self.pid = start(self._argv, self._paths, self.control.fileno(), self._parent_pipe)

    def ended(self, status: int) -> float:
        """Note that it has failed. Returns how long to wait before starting it again, in seconds."""
        self.pid = 0
        lifetime = time.monotonic() - self._born
        delay = self._backoff.next_delay(lifetime)
        stack_log.write(
            f"supervisor ended ({os.waitstatus_to_exitcode(status)}) after {lifetime:.2f} s: "
            f"starting it again in {delay:.2f} s"
        )
        return delay


def fork(argv: Sequence[str], paths: Sequence[str], control: int, parent: int) -> int:
    """Fork a process that runs a file of Python, with two descriptors, whose numbers are in its environment.

    ORCHESTRA_CONTROL_FD: the listening control socket. ORCHESTRA_PARENT_FD: a pipe that reads end of file when the
    fork server is gone. Its standard output and error are the fork server's: the stack's log.
    """

    def become() -> None:
        process.set_name(NAME)
        sys.path[:] = paths
        sys.argv[:] = argv
        _run(argv[0])

    return _spawn(control, parent, become)


def execute(argv: Sequence[str], _paths: Sequence[str], control: int, parent: int) -> int:
    """The same with an interpreter of its own, which finds modules by itself."""

    def become() -> None:
        process.restore_signals()
        for descriptor in (control, parent):
            os.set_inheritable(descriptor, True)
        os.execve(sys.executable, [sys.executable, "-P", *argv], os.environ)

    return _spawn(control, parent, become)


def _spawn(control: int, parent: int, become: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        # As the interpreter has them: a client that has gone away raises BrokenPipeError, and is no signal.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        process.close_all_except([control, parent])
        os.setsid()
        open_files.allow_as_given()
        os.environ[CONTROL_FD], os.environ[PARENT_FD] = str(control), str(parent)
        become()
    except BaseException as error:
        # The last frame of a forked process: it must not run on in the fork server's code.
        stack_log.write_failure(error)
    finally:
        os._exit(127)


def _run(program: str) -> NoReturn:
    """Run a file of Python as the interpreter does, and exit."""
    code = 0
    try:
        with open(program, "rb") as file:
            text = file.read()
        exec(compile(text, program, "exec"), {"__name__": "__main__", "__file__": program})
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
