"""Requests to a supervisor. Each goes over the control socket as JSON, see ``orchestra.control.wire``.

``services`` and ``selected``: empty for all. Time limits are in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from orchestra.model.edit import Edit, Follow
from orchestra.model.revision import Author
from orchestra.model.wish import Recreate
from orchestra.record import Record


class Until(StrEnum):
    """Which containers' end to wait for: all, the first, or the first that fails."""

    ALL_EXITED = "all-exited"
    ANY_EXITED = "any-exited"
    ANY_FAILED = "any-failed"


class Changes(Record):
    """The options of ``up`` that change what it does.

    services: those to take from the file: the named ones and what they depend on; empty for all. named: those on the
    command line; empty for all of ``services``. scaled: those whose number of containers is given. alone: the named
    services start without waiting for their dependencies. recreate: for the named services; recreate_dependencies:
    replace their dependencies too. renew_volumes: for every service that ``recreate`` or ``recreate_dependencies`` may
    replace. pull: the pull_policy of every image. start: false only creates.
    """

    services: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    scaled: tuple[str, ...] = ()
    alone: bool = False
    recreate: Recreate = Recreate.CHANGED
    recreate_dependencies: bool = False
    renew_volumes: bool = False
    pull: str | None = None
    remove_orphans: bool = False
    stop_timeout: float | None = None
    start: bool = True


class Step(Record):
    """What a command did before it asked. what: load, build or provide; times are Unix seconds."""

    what: str
    began: float
    ended: float


class UpRequest(Record):
    """Make the stack match a ``Desired``, which is sent with this.

    wait: until services are running or healthy. environment: see ``orchestra.control.environment``; None to keep the
    supervisor's. asked_at: Unix time of the command, 0 for now. If a supervisor ends before it answers, it is asked
    again, perhaps after another command has stopped services: the later command wins. author: for the history.
    reviewed: the actions that it may cause, as ``plan.preview.describe_actions`` has them; None for any. follow: from
    now on do the same after each change of the files; None to end that, unless this goes ``beside`` it. edit: this is
    such a change, and not a command: it concerns only services that differ from what was wanted before. steps: in
    order, for ``timeline``.
    """

    changes: Changes = Changes()
    environment: Mapping[str, str] | None = None
    wait: bool = False
    wait_timeout: float | None = None
    asked_at: float = 0.0
    author: Author = Author()
    reviewed: tuple[str, ...] | None = None
    follow: Follow | None = None
    beside: bool = False
    edit: bool = False
    steps: tuple[Step, ...] = ()


class EditRequest(Record):
    """Note what came of a change of files that are followed, other than an ``up``."""

    follow: Follow
    edit: Edit


class RunRequest(Record):
    """Create and start the container of a one-off command once, after what it depends on.

    A ``Desired`` goes beside this: it holds the container, and those of the services that it depends on. The answer
    comes when it was started, or cannot be. container: its name. The rest as in ``UpRequest``; changes: of the
    dependencies.
    """

    container: str
    changes: Changes = Changes()
    environment: Mapping[str, str] | None = None
    asked_at: float = 0.0


class ConcludeRequest(Record):
    """Wait until the container of a one-off command has ended, and is gone if it is to be removed then."""

    container: str


class CancelRequest(Record):
    """Give up the container of a one-off command, unless it has been started."""

    container: str


class ForeseeRequest(Record):
    """Look at everything as if ``up`` asked for a ``Desired``, which is sent with this. Changes nothing."""

    changes: Changes = Changes()


class DownRequest(Record):
    """declared: all services in the file; None if there is no file. selected: only these, and what depends on them."""

    declared: tuple[str, ...] | None = None
    selected: tuple[str, ...] = ()
    remove_volumes: bool = False
    remove_orphans: bool = False
    stop_timeout: float | None = None


class StopRequest(Record):
    """Stop containers and keep them. A second request with less time shortens the first.

    containers: those of the services, if not all. Until the next command about their service, this holds for them.
    """

    services: tuple[str, ...] = ()
    timeout: float | None = None
    containers: tuple[str, ...] = ()


class StartRequest(Record):
    """Start what there is of the services and of those that they depend on. wait: as in ``UpRequest``.

    containers: as in ``StopRequest``; nothing else is started then.
    """

    services: tuple[str, ...] = ()
    wait: bool = False
    wait_timeout: float | None = None
    containers: tuple[str, ...] = ()


class RestartRequest(Record):
    """Stop containers and start them again. alone: without those that depend on them with ``restart: true``.

    asked_at: as in ``UpRequest``; runs that began since then are not ended again. containers: as in ``StopRequest``.
    """

    services: tuple[str, ...] = ()
    timeout: float | None = None
    alone: bool = False
    asked_at: float = 0.0
    containers: tuple[str, ...] = ()


class KillRequest(Record):
    """Send a signal to containers. remove_orphans: remove those of services that the file does not declare.

    containers: as in ``StopRequest``.
    """

    signal: int
    services: tuple[str, ...] = ()
    remove_orphans: bool = False
    containers: tuple[str, ...] = ()


class PauseRequest(Record):
    """Have all processes of containers stand still, or move again. containers: those of the services, if not all."""

    services: tuple[str, ...] = ()
    paused: bool = True
    containers: tuple[str, ...] = ()


class ConnectRequest(Record):
    """Connect a container to a network that no file names for it. For the fields, see ``Endpoint``."""

    container: str
    network: str
    aliases: tuple[str, ...] = ()
    ipv4_address: str = ""
    link_local_addresses: tuple[str, ...] = ()
    gateway_priority: int = 0
    ipv6_address: str = ""
    interface_name: str = ""
    settings: tuple[tuple[str, str], ...] = ()


class DisconnectRequest(Record):
    """Take a container off a network until a command asks for its service again."""

    container: str
    network: str


class RemoveRequest(Record):
    """Remove these containers, unless they run. remove_volumes: their anonymous ones with them."""

    containers: tuple[str, ...] = ()
    remove_volumes: bool = False


class WaitRequest(Record):
    """Wait for the present runs of containers to end: of all of them, or of the first."""

    services: tuple[str, ...] = ()
    first: bool = False


class ObserveRequest(Record):
    """Look at everything."""


class AttendRequest(Record):
    """Wait for containers to end for good."""

    services: tuple[str, ...] = ()
    until: Until = Until.ALL_EXITED


class SettleRequest(Record):
    """Wait until all wanted containers of the services have been started, or cannot be.

    wait, wait_timeout: as in ``UpRequest``. since: Unix time; what ended for good before then is no failure.
    """

    services: tuple[str, ...] = ()
    wait: bool = False
    wait_timeout: float | None = None
    since: float = 0.0


class HaltRequest(Record):
    """The machine goes down: end every run. What is desired stays as it is, for the next boot."""


class EventsRequest(Record):
    """Receive the current state, then every event, until the client hangs up."""


class PingRequest(Record):
    """Ask whether the supervisor will stay."""


Question = (
    UpRequest
    | EditRequest
    | RunRequest
    | ConcludeRequest
    | CancelRequest
    | ForeseeRequest
    | DownRequest
    | StopRequest
    | StartRequest
    | RestartRequest
    | KillRequest
    | PauseRequest
    | ConnectRequest
    | DisconnectRequest
    | RemoveRequest
    | WaitRequest
    | ObserveRequest
    | AttendRequest
    | SettleRequest
    | HaltRequest
    | EventsRequest
    | PingRequest
)


def operation(type_: type) -> str:
    """The name of a request on the wire: ``up`` for ``UpRequest``."""
    return type_.__name__.removesuffix("Request").lower()
