"""The current containers of a stack, for use cases that only look."""

from __future__ import annotations

import os

from orchestra.driver import Part
from orchestra.errors import ComposeError, ComposeFileNotFound, UserError
from orchestra.model.health import NOT_PROBED, Health
from orchestra.record import Record
from orchestra.stacks.stack_file import StackFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, TypeVar

    from orchestra.home import StackHome
    from orchestra.model.observed import Container
    from orchestra.stacks.context import Context

    Encoded = dict[str, Any]
    Kind = TypeVar("Kind", "ContainerRow", "Container")


class Known(Record):
    """A stack by name, and the services that its file declares: None if only the name is known."""

    stack: str
    services: tuple[str, ...] | None


class Seen(Record):
    """The state of a stack. exist: whether it has containers. damage: files that cannot be read, in words."""

    exist: bool
    damage: list[str]


class ContainerRow(Record):
    """A container for display. state: ``created``, ``running``, ``paused``, ``restarting`` or ``exited``.

    Times are Unix seconds. networks: by name. ports: published ones, ``HOST_IP:PORT->PORT/PROTOCOL``; exposed: others,
    ``PORT/PROTOCOL``. exit_code: None if unknown. error: why it could not start. damage: its files that cannot be read.
    index: its number among the replicas. pid: of its first process while it runs, else 0. volumes: names on the host.
    one_off: made for one command, and no replica of its service. next_run: Unix time of its next start by its restart
    policy, 0 if none is to come; restarts: how many there were.
    """

    name: str
    service: str
    id: str
    image: str
    image_digest: str
    created_at: float
    command: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    state: str = "created"
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int | None = 0
    oom_killed: bool = False
    health: Health = NOT_PROBED
    error: str = ""
    damage: str = ""
    index: int = 1
    pid: int = 0
    volumes: tuple[str, ...] = ()
    one_off: bool = False
    restarts: int = 0
    next_run: float = 0.0

    @property
    def runs(self) -> bool:
        return self.state in ("running", "paused")


def find_stack(context: Context) -> Known:
    """Raises the errors of a load of the file, unless it is followed: then a bad edit has changed nothing."""
    name = context.project.name
    try:
        identity = StackFile(context).identify()
    except ComposeError as error:
        if isinstance(error, ComposeFileNotFound) and name and not context.project.files:
            return Known(name, None)
        from orchestra.stacks.following.find import find_followed

        if (followed := find_followed(context)) is not None:
            return Known(followed, None)
        raise
    return Known(identity.stack, identity.services)


def exists(context: Context, stack: str) -> bool:
    """Whether the stack may have anything for a supervisor to manage."""
    home = context.home.stack(stack)
    return os.path.exists(home.desired) or os.path.isdir(home.containers)


def ignore(_seen: Seen) -> None:
    """For callers that do not show the state of a stack."""


def survey(
    known: Known,
    containers: Sequence[ContainerRow | Container],
    services: Sequence[str],
    tell: Callable[[Seen], None],
) -> None:
    """Report the state, then raise UserError for a service that neither the file nor any container has."""
    tell(Seen(bool(containers), damage_of(containers)))
    check_known(services, known.services, (container.service for container in containers))


def check_known(services: Sequence[str], declared: Iterable[str] | None, existing: Iterable[str]) -> None:
    """Raise UserError for a service that neither the file nor any container has. existing: services of containers."""
    known = {*existing, *(declared or ())}
    for service in services:
        if service not in known:
            from orchestra.nearest import suggest

            hint = suggest(service, known, "services") or "nothing is running"
            raise UserError(f"no such service: {service}", hint=hint)


def choose_running(running: Iterable[Kind], service: str, index: int | None) -> Kind:
    """The service's running container with this index, or with the lowest one; without any, that of a one-off command.

    Raises UserError.
    """
    of_service = (each for each in running if each.service == service)
    chosen = [each for each in of_service if index in (None, each.index) and not (index and each.one_off)]
    if not chosen:
        raise _not_running(service, index)
    return min(chosen, key=lambda each: (each.one_off, each.index, each.name))


def _not_running(service: str, index: int | None) -> UserError:
    which = "" if index is None else f" container #{index}"
    return UserError(
        f'service "{service}" is not running{which}',
        hint="run orchestra ps -a to list the containers, or orchestra up -d to start them",
    )


def look_at_containers(context: Context, stack: str, *, tell_restarts: bool = False) -> list[ContainerRow]:
    """Every container of the stack by name. Needs no supervisor if the driver can look without one.

    tell_restarts: exited containers that their restart policy will start again are ``restarting`` until they run.
    """
    if not context.offers(Part.FILES):
        from orchestra.model.codec import encode

        return [_row(encode(container)) for container in observe_containers(context, stack)]
    from orchestra.driver.local.look import look_at_containers

    home = context.home.stack(stack)
    return [make_row(home, encoded) if tell_restarts else _row(encoded) for encoded in look_at_containers(home)]


def observe_containers(context: Context, stack: str) -> list[Container]:
    """The same containers with everything that is known about them."""
    if context.offers(Part.FILES):
        from orchestra.driver.local.observe import observe_containers

        return list(observe_containers(context.home.stack(stack)).values())
    from orchestra.model.observation import ObserveResult
    from orchestra.model.request import ObserveRequest

    result = context.client(stack).ask_if_running(ObserveResult, ObserveRequest())
    return [] if result is None else sorted(result.observed.containers.values(), key=lambda container: container.name)


def damage_of(containers: Iterable[ContainerRow | Container]) -> list[str]:
    """The files of containers that cannot be read, in words."""
    return [f"container {each.name}: {each.damage}" for each in containers if each.damage]


def make_row(home: StackHome, container: Encoded) -> ContainerRow:
    """Of what ``driver.local.look`` tells; ``restarting`` where its restart policy will start it again."""
    return _row(container, restarts=_begins_again(container), next_run=_next_run(home, container))


def _begins_again(container: Encoded) -> bool:
    """Whether its restart policy is just starting it: at that point nothing is kept of the previous run."""
    return container["status"]["kind"] == "Created" and bool(container.get("restarts")) and "error" not in container


def _next_run(home: StackHome, container: Encoded) -> float:
    """Unix time; 0 if none is to come."""
    if container["status"]["kind"] != "Exited" or container["status"]["stopped"]:
        return 0.0
    from orchestra.driver.local.restarting import find_next_run
    from orchestra.model.codec import decode
    from orchestra.model.observed import Container

    following = find_next_run(home, decode(Container, container))
    return following.at if following else 0.0


def _health(encoded: Encoded) -> Health:
    if not encoded:
        return NOT_PROBED
    from orchestra.model.codec import decode

    try:
        return decode(Health, encoded)
    except ValueError:
        return NOT_PROBED  # its file is damaged: the next probe writes it again


def _row(container: Encoded, *, restarts: bool = False, next_run: float = 0.0) -> ContainerRow:
    status = container["status"]
    if before := status.get("before"):  # it is seen as it was, until a command asks for it
        status = {"kind": "Exited", **before}
    return ContainerRow(
        name=container["name"],
        service=container["service"],
        id=container["id"],
        image=container["image"],
        image_digest=container["image_digest"],
        created_at=container["created_at"],
        command=tuple(container.get("command", ())),
        networks=tuple(container.get("networks", ())),
        ports=tuple(container.get("ports", ())),
        exposed=tuple(container.get("exposed", ())),
        state="restarting"
        if restarts or next_run
        else "paused"
        if status.get("paused")
        else str(status["kind"]).lower(),
        started_at=status.get("started_at", 0.0),
        finished_at=status.get("finished_at", 0.0),
        exit_code=status.get("exit_code", 0),
        oom_killed=bool(status.get("oom_killed")),
        health=_health(status.get("health", {})),
        error=container.get("error", ""),
        damage=container.get("damage", ""),
        index=container["index"],
        pid=status.get("pid", 0),
        volumes=tuple(container.get("volumes", ())),
        one_off=bool(container.get("one_off")),
        restarts=container.get("restarts", 0),
        next_run=next_run,
    )
