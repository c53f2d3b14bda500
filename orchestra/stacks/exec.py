"""``exec``: runs another program in a running container. Standard library only.

The stack's fork server runs it; if there is none, one is started, together with the supervisor.
"""

from __future__ import annotations

import os
from errno import ENOENT, ESRCH

from orchestra.container.directory import ContainerDirectory
from orchestra.driver import Part
from orchestra.driver.local.bundle.process import render_process
from orchestra.errors import EnvironmentLack, FatalError, UserError
from orchestra.linux.security.capabilities import held_names
from orchestra.linux.syscall import SystemCallError
from orchestra.linux.user_namespace import to_host
from orchestra.model.observed import Running
from orchestra.record import Record
from orchestra.shim.client import Execution, enter
from orchestra.stacks.containers import Seen, choose_running, find_stack, ignore, observe_containers, survey

__all__ = ["ExecOptions", "Execution", "Target", "choose_container", "find_target"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from orchestra.driver.local.user import User
    from orchestra.home import StackHome
    from orchestra.model.observed import Container
    from orchestra.shim.client import Entering
    from orchestra.stacks.context import Context

NOT_EXECUTABLE = 126
NOT_FOUND = 127
ATTEMPTS = 5


class ExecOptions(Record):
    """replica: the index of the container; None for the lowest running one. user: name or number, perhaps with a group.

    size: columns and rows of a terminal that the program gets; None for pipes.
    """

    service: str
    command: tuple[str, ...]
    replica: int | None = None
    user: str | None = None
    environment: Mapping[str, str] = {}
    working_directory: str = ""
    privileged: bool = False
    terminal: bool = False
    console_size: tuple[int, int] | None = None


class Target:
    """A container, and the program to run in it. owner: the user that it runs as. name: the container's."""

    def __init__(
        self, context: Context, home: StackHome, container: Container, process: dict[str, Any], owner: int
    ) -> None:
        """owner: the program's user, as this process knows it."""
        self._context = context
        self._home = home
        self._container = container
        self._process = process
        self.name: str = container.name
        self.owner = owner

    def execute(self, stdio: Sequence[int], until_begun: Callable[[Entering], None], *, tied: bool = True) -> Execution:
        """stdio: three descriptors; none with a terminal. until_begun: waits for the descriptor to be readable.

        tied: the program ends with this process. Raises UserError with Docker's exit codes if it cannot be executed,
        and OSError for other failures.
        """
        home = self._home
        directory = home.container(self._container.name)
        for _ in range(ATTEMPTS):
            try:
                with enter(home.fork_socket, directory, self._process, stdio, tied=tied) as entering:
                    until_begun(entering)
                    return entering.begun()
            except (FileNotFoundError, ConnectionRefusedError):
                self._launch()
            except (ConnectionResetError, BrokenPipeError):
                continue  # the fork server was killed before it had forked: ask its successor
            except SystemCallError as error:
                raise _explain(error, self._container, self._process["args"][0]) from error
        raise EnvironmentLack(f"the fork server of stack {home.name} keeps exiting", hint=f"see {home.supervisor_log}")

    def _launch(self) -> None:
        from orchestra.control.client import supervisor_argv
        from orchestra.shim.launch import launch

        launch(self._home, supervisor_argv(self._home.name, self._context.driver))


def find_target(context: Context, options: ExecOptions, tell: Callable[[Seen], None] = ignore) -> Target:
    """Raises UserError if the service does not exist or is not running, FatalError if the user is unknown there."""
    context.need_privileges()
    context.need(Part.EXEC)
    known = find_stack(context)
    containers = observe_containers(context, known.stack)
    survey(known, containers, [options.service], tell)
    container = choose_container(containers, options.service, options.replica)
    return target_in(context, context.home.stack(known.stack), container, options)


def target_in(context: Context, home: StackHome, container: Container, options: ExecOptions) -> Target:
    """The same in a certain container, which runs. Raises FatalError if the user is unknown there."""
    config = ContainerDirectory(home.container(container.name)).load_config()
    try:
        process = _describe(config, container, options)
    except FatalError as error:
        error.exit_code = NOT_EXECUTABLE
        raise
    uid: int = process["user"]["uid"]
    maps = config["linux"].get("uidMappings")
    owner = to_host(maps, uid) if maps else uid
    return Target(context, home, container, process, uid if owner is None else owner)


def choose_container(containers: Sequence[Container], service: str, index: int | None) -> Container:
    """The running container with this index, or with the lowest one. Raises UserError."""
    container = choose_running((c for c in containers if isinstance(c.status, Running)), service, index)
    if isinstance(container.status, Running) and container.status.paused:
        raise UserError(f"container {container.name} is paused", hint=f"run orchestra unpause {service} first")
    return container


def _describe(config: Mapping[str, Any], container: Container, options: ExecOptions) -> dict[str, Any]:
    """The process object of the OCI runtime specification. config: of the container."""
    return render_process(
        config,
        options.command,
        user=_resolve_user(container, options.user) if options.user else None,
        environment=options.environment,
        working_directory=_directory(options.working_directory, config["process"]["cwd"]),
        terminal=options.terminal,
        console_size=options.console_size,
        privileged=options.privileged,
        capabilities=held_names() if options.privileged else (),
    )


def _directory(asked: str, own: str) -> str:
    return asked if not asked or asked.startswith("/") else os.path.normpath(f"{own}/{asked}")


def _resolve_user(container: Container, text: str) -> User:
    from orchestra.driver.local.user import resolve_user_within

    assert isinstance(container.status, Running)
    return resolve_user_within(container.status.pid, text)


def _explain(error: SystemCallError, container: Container, program: str) -> OSError | UserError:
    if error.errno == ESRCH:
        return UserError(
            f'service "{container.service}" is not running', hint="it has just stopped; see orchestra logs"
        )
    is_missing = error.call == "execve" and error.errno == ENOENT
    reason = error.strerror if error.call == "execve" else error
    problem = UserError(f"cannot execute {program} in {container.name}: {reason}", hint=error.hint)
    problem.exit_code = NOT_FOUND if is_missing else NOT_EXECUTABLE
    return problem
