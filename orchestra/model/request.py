"""What a supervisor can be asked. Each goes over the control socket as JSON, see ``orchestra.control.wire``.

``services`` and ``selected``: empty for all. Times that something may take are in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from orchestra.model.wish import Recreate
from orchestra.record import Record


class Until(StrEnum):
    """Of which containers the end is awaited: of all, of the first, or of the first that fails."""

    ALL_EXITED = "all-exited"
    ANY_EXITED = "any-exited"
    ANY_FAILED = "any-failed"


class Changes(Record):
    """The options of ``up`` that change what it does.

    services: taken over from the file: the named ones and what they depend on; empty for all. named: those that the
    command line names; empty for all of ``services``. scaled: those whose number of containers it gives. alone: the
    named services start without waiting for what they depend on. recreate: concerns the named services;
    recreate_dependencies: what they depend on is replaced too. renew_volumes: concerns every service that ``recreate``
    or ``recreate_dependencies`` may replace. pull: the pull_policy of every image. start: false only creates.
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


class UpRequest(Record):
    """Have the stack be as a ``Desired``, which goes beside this, says.

    wait: until services are running or healthy. environment: see ``orchestra.control.environment``; None to go on with
    what the supervisor has. asked_at: Unix time of the command, 0 for now. A supervisor that ends before it answers is
    asked again, perhaps after another command has had services stop: what was asked for later holds.
    """

    changes: Changes = Changes()
    environment: Mapping[str, str] | None = None
    wait: bool = False
    wait_timeout: float | None = None
    asked_at: float = 0.0


class ForeseeRequest(Record):
    """Look at everything as if ``up`` asked for a ``Desired``, which goes beside this. Changes nothing."""

    changes: Changes = Changes()


class DownRequest(Record):
    """declared: all services of the file; None where there is none. selected: only these, and what depends on them."""

    declared: tuple[str, ...] | None = None
    selected: tuple[str, ...] = ()
    remove_volumes: bool = False
    remove_orphans: bool = False
    stop_timeout: float | None = None


class StopRequest(Record):
    """Stop containers and keep them. A second one with less time shortens the first."""

    services: tuple[str, ...] = ()
    timeout: float | None = None


class StartRequest(Record):
    """Start what there is of the services and of those that they depend on. wait: as in ``UpRequest``."""

    services: tuple[str, ...] = ()
    wait: bool = False
    wait_timeout: float | None = None


class RestartRequest(Record):
    """Stop containers and start them again. alone: without those that depend on them with ``restart: true``.

    asked_at: as in ``UpRequest``; runs that began since then are not ended again.
    """

    services: tuple[str, ...] = ()
    timeout: float | None = None
    alone: bool = False
    asked_at: float = 0.0


class KillRequest(Record):
    """Send a signal to containers. remove_orphans: remove those of services that the file does not declare."""

    signal: int
    services: tuple[str, ...] = ()
    remove_orphans: bool = False


class PauseRequest(Record):
    """Have all processes of containers stand still, or move again."""

    services: tuple[str, ...] = ()
    paused: bool = True


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
    """Wait until all that is wanted of the services has been started, or cannot be."""

    services: tuple[str, ...] = ()


class EventsRequest(Record):
    """Hear how things stand, then of everything that happens, until one hangs up."""


class PingRequest(Record):
    """Hear whether the supervisor stays."""


Question = (
    UpRequest
    | ForeseeRequest
    | DownRequest
    | StopRequest
    | StartRequest
    | RestartRequest
    | KillRequest
    | PauseRequest
    | RemoveRequest
    | WaitRequest
    | ObserveRequest
    | AttendRequest
    | SettleRequest
    | EventsRequest
    | PingRequest
)


def operation(type_: type) -> str:
    """What a request is called on the wire: ``up`` for ``UpRequest``."""
    return type_.__name__.removesuffix("Request").lower()
