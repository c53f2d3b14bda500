"""A supervisor's answers, see ``orchestra.model.request``.

``orphans``: containers of services that the file does not declare. ``damage``: what is wrong with the file that
records the previous request: at most one sentence.
"""

from __future__ import annotations

from orchestra.model.health import HealthStatus
from orchestra.model.location import Location
from orchestra.model.resource import ResourceId
from orchestra.record import Record


class ContainerState(Record):
    """state: ``created``, ``running`` or ``exited``."""

    name: str
    service: str
    state: str
    health: HealthStatus = HealthStatus.NONE


class ReportedFailure(Record):
    """location: the place in the file of what has failed, or of the resource's declaration."""

    resource: ResourceId
    error: str
    hint: str = ""
    location: Location | None = None


class Exit(Record):
    """exit_code: None if it is unknown. id: of the container."""

    container: str
    service: str
    exit_code: int | None = None
    id: str = ""


class MovedPort(Record):
    """A port that the file publishes at ``asked`` (``PORT/PROTOCOL``), and that is at ``HOST_IP:PORT`` instead."""

    container: str
    asked: str
    published: str


class UpResult(Record):
    """Nothing is undone after a failure: the next ``up`` continues from there.

    unproven: containers that it waited for without success. moved: ports of running containers. options: dependencies
    with ``required: false`` that have failed, in words. kept: volumes whose definition changed, which has no effect.
    unfollowed: the files were followed until now.
    """

    containers: tuple[ContainerState, ...] = ()
    orphans: tuple[str, ...] = ()
    failures: tuple[ReportedFailure, ...] = ()
    timed_out: bool = False
    unproven: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    moved: tuple[MovedPort, ...] = ()
    options: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    unfollowed: bool = False


class EditResult(Record):
    """It is noted."""


class RunResult(Record):
    """id: of the container. failures: why it could not be started; then nothing of it is left.

    not_executable: errno of a program that cannot be executed, 0 for another reason.
    """

    id: str = ""
    orphans: tuple[str, ...] = ()
    failures: tuple[ReportedFailure, ...] = ()
    not_executable: int = 0


class ConcludeResult(Record):
    """exit_code: None where it could not be learned."""

    exit_code: int | None = None


class CancelResult(Record):
    """cancelled: it has not been started, and will not be."""

    cancelled: bool = False


class DownResult(Record):
    """kept: what another stack still uses, described. leaving: nothing is left, and the supervisor ends."""

    failures: tuple[ReportedFailure, ...] = ()
    kept: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    leaving: bool = False
    damage: tuple[str, ...] = ()


class StopResult(Record):
    """failures: containers that could not be stopped. resting: those that do not run, also if they did not before."""

    failures: tuple[ReportedFailure, ...] = ()
    resting: tuple[str, ...] = ()


class StartResult(Record):
    """Of ``start`` and ``restart``. unproven: containers it still waited for when time ran out."""

    containers: tuple[ContainerState, ...] = ()
    failures: tuple[ReportedFailure, ...] = ()
    timed_out: bool = False
    unproven: tuple[str, ...] = ()


class KillResult(Record):
    """killed: names of the containers that the signal was sent to."""

    killed: tuple[str, ...] = ()


class PauseResult(Record):
    """changed: names of the containers that stand still now, or move again."""

    changed: tuple[str, ...] = ()


class ConnectResult(Record):
    """The container is connected."""


class DisconnectResult(Record):
    """The container is not connected any more."""


class RemoveResult(Record):
    """removed: names of containers. failures: what could not be removed."""

    removed: tuple[str, ...] = ()
    failures: tuple[ReportedFailure, ...] = ()


class WaitResult(Record):
    """exits: of the runs awaited, the earliest end first; empty when nothing ran."""

    exits: tuple[Exit, ...] = ()


class AttendResult(Record):
    """exits: all that have ended by then, the earliest first."""

    exits: tuple[Exit, ...] = ()


class SettleResult(Record):
    """All wanted containers have been started, or cannot be: then failures says why.

    unproven: containers that it waited for without success.
    """

    failures: tuple[ReportedFailure, ...] = ()
    unproven: tuple[str, ...] = ()


class HaltResult(Record):
    """left: containers that could not be stopped."""

    left: tuple[str, ...] = ()


class EventsResult(Record):
    """The supervisor has left."""


class PingResult(Record):
    """leaving: the supervisor ends once it has answered all requests."""

    leaving: bool = False
