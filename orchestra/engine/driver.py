"""The Driver protocol: what the engine needs from the world in which containers live.

Vocabulary. A *resource* is an image, network, volume or container, addressed by the name that ``Desired`` gives it. A
*run* of a container is the time from one start to its exit; a container may have many runs and keeps what it wrote
between them, until it is removed.

Lifecycle of a container: ``create`` makes everything but a process; ``start`` begins a run; ``stop`` ends it;
``remove`` deletes the container and what it wrote. ``create`` needs its image, networks and volumes; ``remove``
needs it stopped. Before a container is stopped for a successor, ``check`` says whether the successor could start.

Rules.
- Every call is idempotent: creating what exists unchanged, starting what runs, stopping or removing what is gone,
  succeed.
- Errors are ``TemporaryError`` or ``FatalError``; any other exception is a bug in the driver.
- ``observe`` is the truth. Events may be repeated, merged or lost; each says only "look at this container again".
- A start is observed before the exit that follows it.
- Cancelling a call leaves a state that ``observe`` can describe and that a second call completes.
- Everything that is created carries the stack's name; nothing without that name is ever removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from orchestra.errors import FatalError, StillInUse
from orchestra.model.observed import Failure
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from orchestra.errors import OrchestraError
    from orchestra.model.container import ContainerSpec, Endpoint
    from orchestra.model.desired import Desired, ImageSpec, NetworkSpec, VolumeSpec
    from orchestra.model.health import Health, Probed
    from orchestra.model.hook import Hook
    from orchestra.model.location import Location
    from orchestra.model.names import ContainerName
    from orchestra.model.observed import Container, Image, Observed, Verb
    from orchestra.model.resource import ResourceId
    from orchestra.plan.action import AnonymousVolumes


class Refused(FatalError):
    """Something in the file cannot be had here. location: where the file asks for it."""

    def __init__(self, message: str, hint: str, location: Location | None) -> None:
        super().__init__(message, hint=hint)
        self.location = location


class PortUnavailable(Refused):
    """A port cannot be published."""


class PortReserved(PortUnavailable):
    """Something has bound a port, and cannot be seen: perhaps a container that is being made, which soon can."""

    temporary = True


class NotExecutable(FatalError):
    """A container's program cannot be executed. number: why, as errno."""

    def __init__(self, message: str, hint: str, number: int) -> None:
        super().__init__(message, hint=hint)
        self.number = number


def failure_of(resource: ResourceId, verb: Verb, error: OrchestraError, attempts: int, at: float) -> Failure:
    """The failure that a failed call means for its resource. attempts and at: see ``Failure``."""
    return Failure(
        resource,
        verb,
        error.message,
        temporary=error.temporary,
        attempts=attempts,
        at=at,
        hint=error.hint,
        in_use=isinstance(error, StillInUse),
        location=error.location if isinstance(error, Refused) else None,
        not_executable=error.number if isinstance(error, NotExecutable) else 0,
    )


class ProbeResult(Record):
    """Outcome of a command run inside a container. exit_code None: it was killed at its timeout."""

    exit_code: int | None
    output: str = ""


class Driver(Protocol):
    """The world behind the engine. ``stack`` is implied: a driver object serves one stack."""

    def take_environment(self, environment: Mapping[str, str]) -> None:
        """From now on, look up credentials, proxies and registry settings in this environment of a command."""
        ...

    def serving(self) -> AbstractAsyncContextManager[None]:
        """While inside: name resolution, port reservation and the watch on containers are running."""
        ...

    async def observe(self, desired: Desired) -> Observed:
        """The whole stack; images, external networks and external volumes that ``desired`` names; networks in use."""
        ...

    async def inspect(self, name: str) -> Container | None:
        """One container, as ``observe`` would report it."""
        ...

    def events(self) -> AsyncIterator[str | None]:
        """Names of containers to look at again; None: look at everything. Ends only by cancellation."""
        ...

    async def pull(self, image: ImageSpec) -> Image:
        """Make the image ready. pull_policy ``never``: only from this machine; raises FatalError if it is missing."""
        ...

    async def create_network(self, spec: NetworkSpec) -> None: ...

    async def remove_network(self, name: str) -> None: ...

    async def create_volume(self, spec: VolumeSpec) -> None: ...

    async def remove_volume(self, name: str) -> None: ...

    async def check(self, spec: ContainerSpec, image_digest: str, *, settled: bool = True) -> None:
        """Check that the container could replace the one of the same name, which may be running.

        Checks everything that does not require stopping the old one; changes nothing. Raises what ``create`` and
        ``start`` would raise. Ports and the like that the stack's own containers hold count as free. settled: its
        dependencies are as the start needs them; otherwise, files that they may still make are not required.
        """
        ...

    async def create(self, spec: ContainerSpec, image_digest: str) -> Container | None:
        """Returns the container as ``inspect`` would report it now, or None to be asked for it. So does ``start``."""
        ...

    async def connect(self, name: str, endpoint: Endpoint, *, by_hand: bool = False) -> None:
        """Connect a container, running or not, to a network; one that is connected gets what the endpoint says now.

        Its processes and its other connections are not touched. by_hand: no file asks for this, so ``observe`` reports
        BY_HAND instead of the endpoint's hash. Raises FatalError if the container has no networks of its own.
        """
        ...

    async def disconnect(self, name: str, network: str, *, by_hand: bool = False) -> None:
        """Take a container off a network. by_hand: ``observe`` reports it as left."""
        ...

    async def start(
        self, name: str, *, restarts: int, backoff: int, runs_with: Mapping[ContainerName, str] | None = None
    ) -> Container | None: ...

    async def drain(self, name: str) -> None:
        """Return when names and published ports lead to other containers of its service that are ready, if there are.

        What is connected to the container stays connected. ``observe`` reports since when, until it is removed.
        """
        ...

    async def stop(self, name: str, *, signal: str, timeout: float) -> None:
        """Return when the run has ended: signal, at most ``timeout`` seconds, then SIGKILL.

        The stop is recorded with the run before the signal is sent, so that ``observe`` can report
        ``Exited.stopped``.
        """
        ...

    async def kill(self, name: str, signal: int) -> None:
        """Only send a signal to the first process of the run. If the run has ended, do nothing."""
        ...

    async def remove(self, name: str, *, volumes: AnonymousVolumes) -> None: ...

    async def probe(self, name: str, command: Sequence[str], *, timeout: float) -> ProbeResult:
        """Run a health probe inside the container, with its environment, user and working directory."""
        ...

    async def record_health(self, name: str, health: Health, probed: Probed | None = None) -> None:
        """Store the results of probes with the current run, so that ``observe`` reports them from now on.

        probed: the last one, to keep with those before it for people to read.
        """
        ...

    async def run_hook(self, name: str, hook: Hook, *, timeout: float | None) -> ProbeResult:
        """Run a hook inside the container; None: as long as it takes. The output is the end of what it wrote.

        Raises TemporaryError if the container does not run, or ends before the hook. Cancelling this kills the hook.
        """
        ...

    async def record_hooks(self, name: str, done: int) -> None:
        """Store how many post_start hooks have succeeded, so that ``observe`` reports it from now on.

        A start with ``restarts`` 0 begins again with 0.
        """
        ...


@runtime_checkable
class Measures(Protocol):
    """Optional: a driver that can report the progress of a pull."""

    async def measure(self, image: ImageSpec) -> tuple[int, int] | None:
        """Bytes fetched, and bytes of all layers; None while that is not known, or if nothing is fetched."""
        ...


@runtime_checkable
class Pauses(Protocol):
    """Optional: a driver that can suspend all processes of a container. Stopping a container ends its pause."""

    async def pause(self, name: str) -> None: ...

    async def unpause(self, name: str) -> None: ...


@runtime_checkable
class Keeps(Protocol):
    """Optional: a driver that brings containers back after a reboot. Before one, it writes down what that needs."""

    async def keep(self) -> None: ...


@runtime_checkable
class Settles(Protocol):
    """Optional: a driver that batches work; ``up`` waits until none of it is pending before it reports success."""

    async def settle(self) -> None: ...
