"""``orchestra exec``: one more program in a running container, on a terminal or on pipes. Standard library only.

The stack's fork server runs it; where none lives, one is started, and the supervisor with it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from errno import EACCES, ENOENT, ENOEXEC, ESRCH

from orchestra.cli.looking import check_known, find_stack, observe_containers
from orchestra.cli.relay import Direction, Signals, open_output, open_pipe, relay
from orchestra.driver.local.bundle.process import render_process
from orchestra.errors import EnvironmentLack, UserError
from orchestra.linux import tty
from orchestra.linux.capabilities import NAMES, NUMBERS, held
from orchestra.linux.syscall import SystemCallError
from orchestra.model.observed import Running
from orchestra.shim.client import enter
from orchestra.shim.directory import ContainerDirectory
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.driver.local.user import User
    from orchestra.home import StackHome
    from orchestra.model.observed import Container
    from orchestra.shim.client import Entering, Execution

NOT_EXECUTABLE = 126
NOT_FOUND = 127
ATTEMPTS = 5
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
INTERRUPT = b"\3"
PASSED_ON = (*ENDING, signal.SIGUSR1, signal.SIGUSR2)


def run(invocation: Invocation) -> int:
    invocation.need_root()
    values = invocation.values
    if invocation.driver != "local":
        raise UserError(f"nothing can be executed with the driver {invocation.driver}")
    stack, declared = find_stack(invocation)
    containers = observe_containers(invocation, stack)
    check_known([values["service"]], declared, (container.service for container in containers))
    container = choose_container(containers, values["service"], values["index"])
    home = invocation.home.stack(stack)
    terminal = _wants_terminal(values)
    description = _describe(home, container, values, terminal=terminal)

    def execute(stdio: Sequence[int], signals: Signals, *, tied: bool = True) -> Execution:
        return _execute(invocation, home, container, description, stdio, signals, tied=tied)

    if values["detach"]:
        return _run_detached(execute)
    return _run_on_terminal(execute) if terminal else _run_on_pipes(execute, description["user"]["uid"])


def choose_container(containers: Sequence[Container], service: str, index: int | None) -> Container:
    """The running one with this index, or with the lowest. Raises UserError."""
    replicas = [c for c in containers if c.service == service and index in (None, c.index)]
    running = [c for c in replicas if isinstance(c.status, Running)]
    if not running:
        which = f'service "{service}"' if index is None else f'container {index} of service "{service}"'
        raise UserError(f"{which} is not running", hint="orchestra ps -a shows what there is; up -d starts it")
    return min(running, key=lambda container: container.index)


def _wants_terminal(values: dict[str, Any]) -> bool:
    """A terminal where both ends are one: a file or a pipe is not to be filled with carriage returns."""
    if values["no_tty"] or values["detach"] or not sys.stdin or not sys.stdin.isatty():
        return False
    return bool(values["tty"]) or sys.stdout.isatty()


def _describe(home: StackHome, container: Container, values: dict[str, Any], *, terminal: bool) -> dict[str, Any]:
    """The process object. Raises FatalError for a user that the container does not know."""
    config = ContainerDirectory(home.container(container.name)).load_config()
    environment = dict(_variable(entry) for entry in values["env"])
    size = tty.get_size(0) if terminal else None
    available = held() if values["privileged"] else 0
    return render_process(
        config,
        values["command"],
        user=_resolve_user(container, values["user"]) if values["user"] else None,
        environment={name: value for name, value in environment.items() if value is not None},
        working_directory=_directory(values["workdir"] or "", config["process"]["cwd"]),
        terminal=terminal,
        console_size=None if size is None or 0 in size else (size.rows, size.columns),
        privileged=values["privileged"],
        capabilities=[name for name in NAMES if available >> NUMBERS[name] & 1],
    )


def _variable(entry: str) -> tuple[str, str | None]:
    """``NAME=VALUE``; a name alone takes its value from here, if it has one."""
    name, equals, value = entry.partition("=")
    if not name:
        raise UserError(f"--env {entry}: NAME=VALUE is expected")
    return name, value if equals else os.environ.get(name)


def _directory(asked: str, own: str) -> str:
    return asked if not asked or asked.startswith("/") else os.path.normpath(f"{own}/{asked}")


def _resolve_user(container: Container, text: str) -> User:
    """By the container's own files, which may hold anything: no link leads out of its root."""
    from orchestra.driver.local.user import resolve_user
    from orchestra.linux.resolve import open_in_root

    assert isinstance(container.status, Running)
    root = os.open(f"/proc/{container.status.pid}/root", os.O_PATH | os.O_CLOEXEC)

    def read(path: str) -> str:
        try:
            fd = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == ENOENT:
                return ""
            raise
        with open(fd, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)

    try:
        return resolve_user(text, read("/etc/passwd"), read("/etc/group"))
    finally:
        os.close(root)


def _execute(
    invocation: Invocation,
    home: StackHome,
    container: Container,
    description: dict[str, Any],
    stdio: Sequence[int],
    signals: Signals,
    *,
    tied: bool,
) -> Execution:
    """Raises UserError with Docker's exit codes for what cannot be executed, and the OSError of everything else.

    SystemExit when a signal ends it before the program runs: a process of the container may keep it from running.
    """
    from orchestra.control.client import supervisor_argv
    from orchestra.shim.launch import launch

    for _ in range(ATTEMPTS):
        try:
            directory = home.container(container.name)
            with enter(home.fork_socket, directory, description, stdio, tied=tied) as entering:
                _await(entering, signals)
                execution = entering.begun()
        except (FileNotFoundError, ConnectionRefusedError):
            launch(home, supervisor_argv(home.name, invocation.driver))
        except (ConnectionResetError, BrokenPipeError):
            continue  # the fork server was killed before it had forked: its successor is asked
        except SystemCallError as error:
            raise _explain(error, container, description["args"][0]) from error
        else:
            for warning in execution.warnings:
                print(f"warning: {visible(str(warning))}", file=sys.stderr)
            return execution
    raise EnvironmentLack(f"the fork server of stack {home.name} keeps ending", hint=f"see {home.supervisor_log}")


def _await(entering: Entering, signals: Signals) -> None:
    poll = select.poll()
    poll.register(entering, select.POLLIN)
    poll.register(signals, select.POLLIN)
    while not any(fd == entering.fileno() for fd, _events in poll.poll()):
        for number in signals.read():
            if number in ENDING:
                raise SystemExit(128 + number)


def _explain(error: SystemCallError, container: Container, program: str) -> OSError | UserError:
    if error.errno == ESRCH:
        return UserError(f'service "{container.service}" is not running', hint="it has just ended; see orchestra logs")
    if error.call != "execve":
        return error
    problem = UserError(f"cannot execute {program} in {container.name}: {error.strerror}", hint=error.hint)
    problem.exit_code = {ENOENT: NOT_FOUND, EACCES: NOT_EXECUTABLE, ENOEXEC: NOT_EXECUTABLE}.get(error.errno or 0, 1)
    return problem


def _run_detached(execute: Callable[..., Execution]) -> int:
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    with Signals(*ENDING) as signals:
        execute((null, null, null), signals, tied=False).close()
    return 0


def _run_on_pipes(execute: Callable[..., Execution], owner: int) -> int:
    """Signals are passed on, since no terminal of the container's own is there to make them."""
    pipes = [open_pipe(owner) for _ in range(3)]
    theirs = (pipes[0][0], pipes[1][1], pipes[2][1])
    stdin, stdout, stderr = pipes[0][1], pipes[1][0], pipes[2][0]
    for fd in (stdin, stdout, stderr):
        os.set_blocking(fd, False)
    with Signals(*PASSED_ON) as signals, execute(theirs, signals) as execution:
        for fd in theirs:
            os.close(fd)
        sys.stdout.flush()
        sys.stderr.flush()
        outward = [
            Direction(stdout, open_output(1), owned=[stdout]),
            Direction(stderr, open_output(2), owned=[stderr]),
        ]
        code = relay(execution, Direction(0, stdin, owned=[stdin]), outward, signals, _Passing(execution))
    for name, direction in zip(("output", "error"), outward, strict=True):
        if direction.failure is not None:
            raise UserError(f"the program's standard {name} is not whole: {direction.failure.strerror}")
    return code


class _Passing:
    """Passes signals on to the program. One that ought to end it, and is of no use, ends this command instead.

    It is of no use when the program is stopped, as any process of the container may have done, or when it is the
    second of its kind.
    """

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._passed: set[int] = set()

    def __call__(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            self._execution.signal(number)
        if number in ENDING and (number in self._passed or self._execution.is_stopped):
            raise SystemExit(128 + number)
        self._passed.add(number)


def _run_on_terminal(execute: Callable[..., Execution]) -> int:
    """Every key goes to the terminal in the container, which makes signals of some of them."""
    with Signals(signal.SIGWINCH, *ENDING) as signals, execute((), signals) as execution:
        master = os.dup(execution.terminal)
        os.set_blocking(master, False)

        def take(number: int) -> None:
            if number != signal.SIGWINCH:
                raise SystemExit(128 + number)  # the program is tied to us and ends too
            execution.resize(*tty.get_size(0))

        sys.stdout.flush()
        with tty.RawMode(0):
            take(signal.SIGWINCH)
            outward = Direction(master, open_output(1), owned=[])
            return relay(execution, _Keyboard(0, master, execution), [outward], signals, take)


class _Keyboard(Direction):
    """What is typed. Ctrl-C makes no signal of ours here, and none of use where the program is stopped."""

    def __init__(self, source: int, target: int, execution: Execution) -> None:
        super().__init__(source, target, owned=[])
        self._execution = execution

    def read(self) -> None:
        super().read()
        if INTERRUPT in bytes(self.waiting) and self._execution.is_stopped:
            raise SystemExit(128 + signal.SIGINT)
