"""``exec``: another program in a container of a cluster."""

from __future__ import annotations

import contextlib

from orchestra.errors import UserError
from orchestra.stacks.cluster.where import SWARM, Where, open_kubernetes, open_swarm
from orchestra.stacks.containers import find_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Protocol

    from orchestra.cluster.api import Api
    from orchestra.cluster.manager import Manager
    from orchestra.cluster.program import Program
    from orchestra.stacks.context import Context
    from orchestra.stacks.exec import ExecOptions

    class Place(Protocol):
        """A container, and the program to run in it."""

        def execute(self, stdio: Sequence[int]) -> Program:
            """stdio: three descriptors; none for a terminal. Raises OrchestraError if it cannot be run."""

        def start_detached(self) -> None: ...


@contextlib.contextmanager
def find_place(context: Context, where: Where, options: ExecOptions) -> Iterator[Place]:
    """Raises UserError if the service does not run, or the cluster cannot do what the options ask for."""
    from orchestra.cluster.tasks import find_container
    from orchestra.cluster.view import find_pod
    from orchestra.translation.kubernetes.names import label

    stack = find_stack(context).stack
    if where.driver == SWARM:
        with open_swarm(context, where) as manager:
            yield _Task(manager, find_container(manager, stack, options.service, options.replica), options)
        return
    asked = {"user": options.user, "env": options.environment, "workdir": options.working_directory}
    for name, value in {**asked, "privileged": options.privileged}.items():
        if value:
            hint = "run it through a shell or env, or leave the option out"
            raise UserError(f"Kubernetes runs programs as their container is: it has no --{name}", hint=hint)
    with open_kubernetes(context, where) as api:
        yield _Pod(api, find_pod(api, stack, label(options.service), options.replica), options)


class _Pod:
    def __init__(self, api: Api, name: str, options: ExecOptions) -> None:
        self._api = api
        self._name = name
        self._options = options

    def execute(self, stdio: Sequence[int]) -> Program:
        from orchestra.cluster.program import Program

        return Program(self._api.execute(self._name, self._options.command, terminal=self._options.terminal), stdio)

    def start_detached(self) -> None:
        raise UserError("Kubernetes ends programs with their connection", hint="leave --detach out")


class _Task:
    def __init__(self, manager: Manager, container: str, options: ExecOptions) -> None:
        self._manager = manager
        self._container = container
        self._body: dict[str, object] = {
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": options.terminal,
            "Cmd": list(options.command),
            "Env": [f"{name}={value}" for name, value in options.environment.items()],
            "User": options.user or "",
            "WorkingDir": options.working_directory,
            "Privileged": options.privileged,
        }

    def execute(self, stdio: Sequence[int]) -> Program:
        from orchestra.cluster.program import Program
        from orchestra.cluster.swarm_exec import SwarmSession

        return Program(SwarmSession(self._manager, self._container, self._body), stdio)

    def start_detached(self) -> None:
        from orchestra.cluster.swarm_exec import start_detached

        start_detached(self._manager, self._container, self._body)
