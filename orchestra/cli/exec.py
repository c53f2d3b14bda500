"""``orchestra exec``: one more program in a running container, on a terminal or on pipes. Standard library only.

The stack's fork server runs it; where none lives, one is started, and the supervisor with it.
"""

from __future__ import annotations

import os
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
from orchestra.shim.client import exec_
from orchestra.shim.directory import ContainerDirectory
from orchestra.state.observed import Running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.driver.local.user import User
    from orchestra.home import StackHome
    from orchestra.shim.client import Execution
    from orchestra.state.observed import Container

NOT_EXECUTABLE = 126
NOT_FOUND = 127
ATTEMPTS = 5
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


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

    def execute(stdio: Sequence[int], *, tied: bool = True) -> Execution:
        return _execute(invocation, home, container, description, stdio, tied=tied)

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
    config = ContainerDirectory(home.container(container.name)).load("config.json")
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
    *,
    tied: bool,
) -> Execution:
    """Raises UserError with Docker's exit codes for what cannot be executed, and the OSError of everything else."""
    from orchestra.shim.launch import launch
    from orchestra.supervisor.client import supervisor_argv

    for _ in range(ATTEMPTS):
        try:
            execution = exec_(home.fork_socket, home.container(container.name), description, stdio, tied=tied)
        except (FileNotFoundError, ConnectionRefusedError):
            launch(home, supervisor_argv(home.name, invocation.driver))
        except ConnectionResetError:
            continue  # the fork server was killed before it had forked: its successor is asked
        except SystemCallError as error:
            raise _explain(error, container, description["args"][0]) from error
        else:
            for warning in execution.warnings:
                print(f"warning: {warning}", file=sys.stderr)
            return execution
    raise EnvironmentLack(f"the fork server of stack {home.name} keeps ending", hint=f"see {home.supervisor_log}")


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
    execute((null, null, null), tied=False).close()
    return 0


def _run_on_pipes(execute: Callable[..., Execution], owner: int) -> int:
    """Signals are passed on, since no terminal of the container's own is there to make them."""
    pipes = [open_pipe(owner) for _ in range(3)]
    theirs = (pipes[0][0], pipes[1][1], pipes[2][1])
    stdin, stdout, stderr = pipes[0][1], pipes[1][0], pipes[2][0]
    for fd in (stdin, stdout, stderr):
        os.set_blocking(fd, False)
    with Signals(*PASSED_ON) as signals, execute(theirs) as execution:
        for fd in theirs:
            os.close(fd)
        sys.stdout.flush()
        sys.stderr.flush()
        return relay(
            execution,
            Direction(0, stdin, owned=[stdin]),
            [
                Direction(stdout, open_output(1), owned=[stdout]),
                Direction(stderr, open_output(2), owned=[stderr]),
            ],
            signals,
            lambda number: _pass_on(execution, number),
        )


def _pass_on(execution: Execution, number: int) -> None:
    try:
        execution.signal(number)
    except ProcessLookupError:
        return  # it has just ended


def _run_on_terminal(execute: Callable[..., Execution]) -> int:
    """Every key goes to the terminal in the container, which makes signals of some of them."""
    with Signals(signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP) as signals, execute(()) as execution:
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
            return relay(execution, Direction(0, master, owned=[]), [outward], signals, take)
