"""The Driver protocol: what the engine needs of a world that containers live in.

Vocabulary. A *resource* is an image, network, volume or container, addressed by the name that ``Desired`` gives it. A
*run* of a container is the time from one start to its exit; a container may have many runs and keeps what it wrote
between them, until it is removed.

Lifecycle of a container: ``create`` makes everything but a process; ``start`` begins a run; ``stop`` ends it;
``remove`` takes the container and what it wrote away. ``create`` needs its image, networks and volumes; ``remove``
needs it stopped. Before a container is stopped for a successor, ``check`` tells whether that could start.

Rules.
- Every call is idempotent: creating what exists unchanged, starting what runs, stopping or removing what is gone,
  succeed.
- Errors are ``TemporaryError`` or ``FatalError``; any other exception is a bug of the driver.
- ``observe`` is the truth. Events may be repeated, merged or lost; each says only "look at this container again".
- A start is seen before the exit that follows it.
- Cancelling a call leaves a state that ``observe`` can describe and that a second call completes.
- Nothing is created without the stack's name on it; nothing without it is ever removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from orchestra.errors import FatalError, StillInUse, TemporaryError
from orchestra.model.observed import Failure
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from orchestra.errors import OrchestraError
    from orchestra.model.desired import ContainerSpec, Desired, ImageSpec, NetworkSpec, VolumeSpec
    from orchestra.model.health import Health
    from orchestra.model.location import Location
    from orchestra.model.observed import Container, Image, Observed, Verb
    from orchestra.model.resource import ResourceId
    from orchestra.plan.action import AnonymousVolumes


class PortUnavailable(FatalError):
    """A port cannot be published. location: where the file asks for it."""

    def __init__(self, message: str, hint: str, location: Location | None) -> None:
        super().__init__(message, hint=hint)
        self.location = location


class NotExecutable(FatalError):
    """A container's program cannot be executed. number: why, as errno."""

    def __init__(self, message: str, hint: str, number: int) -> None:
        super().__init__(message, hint=hint)
        self.number = number


def failure_of(resource: ResourceId, verb: Verb, error: OrchestraError, attempts: int, at: float) -> Failure:
    """What a call that failed says of its resource. attempts and at: see ``Failure``."""
    return Failure(
        resource,
        verb,
        error.message,
        temporary=isinstance(error, TemporaryError),
        attempts=attempts,
        at=at,
        hint=error.hint,
        in_use=isinstance(error, StillInUse),
        location=error.location if isinstance(error, PortUnavailable) else None,
        not_executable=error.number if isinstance(error, NotExecutable) else 0,
    )


class ProbeResult(Record):
    """Outcome of a command run inside a container. exit_code None: it was cut off at its timeout."""

    exit_code: int | None
    output: str = ""


class Driver(Protocol):
    """The world behind the engine. ``stack`` is implied: a driver object serves one stack."""

    def take_environment(self, environment: Mapping[str, str]) -> None:
        """Where credentials, proxies and settings of registries are looked for from now on: the command's own."""
        ...

    def serving(self) -> AbstractAsyncContextManager[None]:
        """While inside: name resolution, port reservation and the watch on containers are running."""
        ...

    async def observe(self, desired: Desired) -> Observed:
        """The whole stack, and those images, external networks and external volumes that ``desired`` names."""
        ...

    async def inspect(self, name: str) -> Container | None:
        """One container, as ``observe`` would report it."""
        ...

    def events(self) -> AsyncIterator[str | None]:
        """Names of containers to look at again; None: look at everything. Ends only by cancellation."""
        ...

    async def pull(self, image: ImageSpec) -> Image:
        """Make the image ready. pull_policy ``never``: from what is on this machine already, else FatalError."""
        ...

    async def create_network(self, spec: NetworkSpec) -> None: ...

    async def remove_network(self, name: str) -> None: ...

    async def create_volume(self, spec: VolumeSpec) -> None: ...

    async def remove_volume(self, name: str) -> None: ...

    async def check(self, spec: ContainerSpec, image_digest: str, *, settled: bool = True) -> None:
        """Whether the container could be created and started in place of the one of its name, which may run.

        Everything that can be found out without stopping that one; nothing is changed. Raises what ``create`` and
        ``start`` would raise. What the stack's own containers hold, such as ports, counts as free. settled: what it
        depends on is as the start needs it; else what that may still make is not missed.
        """
        ...

    async def create(self, spec: ContainerSpec, image_digest: str) -> None: ...

    async def start(self, name: str, *, restarts: int, backoff: int) -> None: ...

    async def stop(self, name: str, *, signal: str, timeout: float) -> None:
        """Returns when the run has ended: signal, at most ``timeout`` seconds, then SIGKILL.

        That it was asked is kept with the run before the signal is sent, so that ``observe`` can say
        ``Exited.stopped``.
        """
        ...

    async def kill(self, name: str, signal: int) -> None:
        """Send a signal to the first process of the run, and nothing else. One that has ended gets none."""
        ...

    async def remove(self, name: str, *, volumes: AnonymousVolumes) -> None: ...

    async def probe(self, name: str, command: Sequence[str], *, timeout: float) -> ProbeResult:
        """Run a health probe inside the container, with its environment, user and working directory."""
        ...

    async def record_health(self, name: str, health: Health) -> None:
        """Keep what the probes showed with the current run, so that ``observe`` reports it from now on."""
        ...


@runtime_checkable
class Measures(Protocol):
    """Optional: a driver that can say how far a pull is."""

    async def measure(self, image: ImageSpec) -> tuple[int, int] | None:
        """Bytes of the layers that are here, and of all layers; None while that is not known, or nothing is fetched."""
        ...


@runtime_checkable
class Pauses(Protocol):
    """Optional: a driver that can have all processes of a container stand still. One that is stopped moves again."""

    async def pause(self, name: str) -> None: ...

    async def unpause(self, name: str) -> None: ...


@runtime_checkable
class Settles(Protocol):
    """Optional: a driver that batches work tells when nothing of it is pending, before ``up`` says it is done."""

    async def settle(self) -> None: ...
