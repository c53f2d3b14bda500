"""The fake machine: its resources, and programs that run, answer probes and end as time passes.

Changes go through ``plan.predict``, so the planner's model and this world cannot drift apart. Calls that no correct
engine makes (creating without an image, removing what runs) raise AssertionError: they are bugs, not faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING

from orchestra.driver.fake.program import Program, one_shot
from orchestra.errors import TemporaryError
from orchestra.model.names import ContainerName, NetworkName
from orchestra.model.observed import Exited, Image, Network, Observed, Running, Volume
from orchestra.model.resource import Kind
from orchestra.named_tuple import NamedTuple
from orchestra.plan.action import (
    AnonymousVolumes,
    ConnectContainer,
    CreateContainer,
    DisconnectContainer,
    DrainContainer,
    RemoveContainer,
    StartContainer,
)
from orchestra.plan.predict import predict, with_container
from orchestra.plan.volumes import named_volumes
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestra.driver.fake.program import Run
    from orchestra.model.container import ContainerSpec, Endpoint
    from orchestra.model.desired import Desired, ImageSpec
    from orchestra.model.health import Health
    from orchestra.model.names import StackName
    from orchestra.model.observed import Container
    from orchestra.plan.action import Action

UNTIL_STOPPED = Program()
INITIALIZING = one_shot(0.1)
TERMINATED = 143
KILLED = 137


class Entry(NamedTuple):
    """One thing that happened: created, starting, started, ``hook COMMAND``, stopping, exited, removed, and so on.

    spec: of the container, for created, calls and started; exit_code: for exited.
    """

    at: float
    what: str
    name: str
    spec: ContainerSpec | None = None
    exit_code: int | None = None


@dataclass(slots=True)
class _Process:
    run: Run
    began_at: float
    ends_at: float | None
    exit_code: int
    stopped: bool = False


class World:
    """now: Unix seconds. programs: by service; of its init containers, by ``pre_start`` and the service. available:
    digests of images that can be pulled, by reference; None for any. pull_seconds: by reference.

    ``journal`` records what happened, in order; ``contents`` is the content of each volume; ``is_shifted`` tells
    whether the clock was ever set.
    """

    def __init__(
        self,
        stack: StackName,
        now: Callable[[], float],
        programs: Mapping[str, Program] | None = None,
        available: Mapping[str, str] | None = None,
        pull_seconds: Mapping[str, float] | None = None,
    ) -> None:
        self.now = now
        self.programs = dict(programs or {})
        self.available = None if available is None else dict(available)
        self.pull_seconds = dict(pull_seconds or {})
        self.journal: list[Entry] = []
        self.contents: dict[str, list[str]] = {}
        self.listener: Callable[[str | None], None] | None = None
        self._truth = Observed(stack)
        self._specs: dict[str, ContainerSpec] = {}
        self._processes: dict[str, _Process] = {}
        self._ends: list[tuple[float, str]] = []
        self._runs: dict[str, int] = {}
        self._made = 0
        self._taken: set[str] = set()
        self._ill: set[str] = set()
        self.is_shifted = False

    @property
    def observed(self) -> Observed:
        """Everything that exists, with programs that have ended by now."""
        self.pass_time()
        return self._truth

    def program(self, name: str) -> Program:
        spec = self._specs.get(name)
        return self.program_of(spec) if spec else UNTIL_STOPPED

    def program_of(self, spec: ContainerSpec) -> Program:
        if spec.initializes:
            return self.programs.get(f"pre_start {spec.service}", INITIALIZING)
        return self.programs.get(spec.service, UNTIL_STOPPED)

    def view(self, desired: Desired) -> Observed:
        """What a driver reports: the stack's own resources, and others that ``desired`` names."""
        truth = self.observed
        networks = {spec.name for spec in desired.networks}
        networks.update(name for container in truth.containers.values() for name in container.networks)
        volumes = {spec.name for spec in desired.volumes}
        images = {spec.key for spec in desired.images}
        return replace(
            truth,
            networks={name: n for name, n in truth.networks.items() if not n.external or name in networks},
            volumes={name: v for name, v in truth.volumes.items() if not v.external or name in volumes},
            images={name: image for name, image in truth.images.items() if name in images},
        )

    def set_illness(self, service: str, *, ill: bool) -> None:
        """Whether the health checks of a service fail from now on, whatever its program does."""
        (self._ill.add if ill else self._ill.discard)(service)

    def take(self, name: str) -> None:
        """Another program kills and removes a container."""
        self.kill(name)
        self._taken.add(name)
        self.remove(name)

    def shift(self, seconds: float) -> None:
        """The clock was set: what is to happen does so after as much time as before."""
        self.is_shifted = True
        for process in self._processes.values():
            process.began_at += seconds
            if process.ends_at is not None:
                process.ends_at += seconds
        self._ends = [(p.ends_at, name) for name, p in self._processes.items() if p.ends_at is not None]
        heapify(self._ends)

    def lose_rules(self) -> None:
        """Another program removes the firewall rules of every network."""
        networks = {
            name: replace(network, loss="its firewall rules were removed or changed")
            for name, network in self._truth.networks.items()
        }
        self._truth = replace(self._truth, networks=networks)
        if self.listener is not None:
            self.listener(None)

    def add_external(self, networks: Iterable[Network] = (), volumes: Iterable[Volume] = ()) -> None:
        """Resources that others have made; nothing may ever remove them."""
        self._truth = replace(
            self._truth,
            networks={**self._truth.networks, **{n.name: replace(n, external=True) for n in networks}},
            volumes={**self._truth.volumes, **{v.name: replace(v, external=True) for v in volumes}},
        )

    def digest(self, image: ImageSpec) -> str | None:
        """What a pull finds; None if there is no image."""
        if self.available is None:
            return f"sha256:{image.reference}"
        return self.available.get(image.reference)

    def make_image(self, image: ImageSpec, digest: str) -> Image:
        made = Image(image.key, digest)
        self._truth = replace(self._truth, images={**self._truth.images, image.key: made})
        self._note("pulled", image.reference)
        return made

    def apply(self, action: Action) -> None:
        """Make a change to a network or volume."""
        name = action.resource.name
        if action.verb == "remove":
            seen = self._truth.networks.get(name) or self._truth.volumes.get(name)
            assert seen is None or not seen.external, f"{action.resource} is external"
            users = [c.name for c in self.observed.containers.values() if name in c.networks or name in c.volumes]
            assert not users, f"{action.resource} is in use by {users}"
        self._truth = predict(self._truth, action, self.now())
        if action.resource.kind is Kind.VOLUME:
            if action.verb == "create":
                self.contents.setdefault(name, [])
            else:
                self.contents.pop(name, None)
        self._note(f"{action.verb}d", str(action.resource))

    def check(self, spec: ContainerSpec) -> None:
        """Raises DriverError if it could not be created and started; here everything can."""

    def create(self, spec: ContainerSpec, image_digest: str) -> None:
        if spec.name in self._truth.containers:
            return
        assert spec.image_key in self._truth.images, f"{spec.name}: no image {spec.image}"
        for endpoint in spec.endpoints:
            assert endpoint.network in self._truth.networks, f"{spec.name}: no network {endpoint.network}"
        for volume in named_volumes(spec):
            assert volume in self._truth.volumes, f"{spec.name}: no volume {volume}"
        self._made += 1
        self._truth = predict(self._truth, CreateContainer(spec, image_digest, ""), self.now())
        container = replace(self._truth.containers[spec.name], id=f"{self._made:012x}")
        self._truth = with_container(self._truth, spec.name, container)
        self._specs[spec.name] = spec
        self._runs[spec.name] = 0
        self._note("created", spec.name, spec)

    def connect(self, name: str, endpoint: Endpoint) -> None:
        if name in self._truth.containers:
            assert endpoint.network in self._truth.networks, f"{name}: no network {endpoint.network}"
            self._change(ConnectContainer(ContainerName(name), endpoint, ""))

    def disconnect(self, name: str, network: str, *, by_hand: bool) -> None:
        if name in self._truth.containers:
            self._change(DisconnectContainer(ContainerName(name), NetworkName(network), ""))
            if by_hand:
                container = self._truth.containers[name]
                left = replace(container, left={**container.left, network: self.now()})
                self._truth = with_container(self._truth, name, left)

    def drain(self, name: str) -> None:
        if name in self._truth.containers:
            self._change(DrainContainer(ContainerName(name), ""))

    def _change(self, action: ConnectContainer | DisconnectContainer | DrainContainer) -> None:
        self._truth = predict(self._truth, action, self.now())
        self._note(f"{action.verb}ed", action.name)
        self._notify(action.name)

    def note_call(self, what: str, name: str) -> None:
        """Record that a call begins, ``starting`` or ``stopping``, or that a hook has ended: ``hook COMMAND``."""
        self._note(what, name, self._specs.get(name))

    def start(self, name: str, restarts: int, backoff: int, runs_with: Mapping[ContainerName, str]) -> None:
        self.pass_time()
        container = self._truth.containers.get(name)
        if container is None and name in self._taken:
            raise TemporaryError(f"container {name} does not exist")
        assert container is not None, f"{name}: started, but does not exist"
        if isinstance(container.status, Running):
            return
        now = self.now()
        run = self.program(name).run(self._runs[name])
        self._runs[name] += 1
        action = StartContainer(container.name, restarts, backoff, "", runs_with)
        self._truth = predict(self._truth, action, now)
        self._put_status(name, Running(1000 + sum(self._runs.values()), now))
        ends_at = None if run.exits_after is None else now + run.exits_after
        self._processes[name] = _Process(run, now, None, run.exit_code)
        if ends_at is not None:
            self._end_at(name, ends_at, run.exit_code)
        for volume in self._truth.containers[name].volumes:
            self.contents.setdefault(volume, []).append(name)
        self._note("started", name, self._specs[name])
        self._notify(name)

    def ask_to_stop(self, name: str) -> None:
        """Deliver the stop signal: the program decides when it ends, whether or not a caller waits."""
        self.pass_time()
        if name in self._processes:
            self._processes[name].stopped = True
            status = self._truth.containers[name].status
            assert isinstance(status, Running)
            self._put_status(name, replace(status, stopping=True))
        self.deliver(name, SIGTERM)

    def deliver(self, name: str, signal: int) -> None:
        """SIGKILL ends the program at once, SIGTERM when it pleases, and others do nothing."""
        self.pass_time()
        if signal == SIGKILL:
            self.kill(name)
        process = self._processes.get(name)
        if process is None or signal != SIGTERM or process.run.stops_after is None:
            return
        ends_at = self.now() + process.run.stops_after
        if process.ends_at is None or ends_at < process.ends_at:
            self._end_at(name, ends_at, TERMINATED)
            self._notify("")

    def kill(self, name: str) -> None:
        if name in self._processes:
            self._end_at(name, self.now(), KILLED)
            self.pass_time()

    def _end_at(self, name: str, ends_at: float, exit_code: int) -> None:
        process = self._processes[name]
        process.ends_at, process.exit_code = ends_at, exit_code
        heappush(self._ends, (ends_at, name))

    def remove(self, name: str) -> None:
        self.pass_time()
        container = self._truth.containers.get(name)
        if container is None:
            return
        assert not isinstance(container.status, Running), f"{name}: removed while it runs"
        action = RemoveContainer(container.name, AnonymousVolumes.LEAVE, "")
        self._truth = predict(self._truth, action, self.now())
        del self._specs[name], self._runs[name]
        self._note("removed", name)
        self._notify(name)

    def answers_probe(self, name: str) -> bool | None:
        """Whether a probe succeeds now; None if the container is not running."""
        self.pass_time()
        container = self._truth.containers.get(name)
        if container is None or not isinstance(container.status, Running):
            return None
        process = self._processes[name]
        run, age = process.run, self.now() - process.began_at
        healthy = run.healthy_from is not None and age >= run.healthy_from
        healthy = healthy and not (run.unhealthy_from is not None and age >= run.unhealthy_from)
        healthy = healthy and container.service not in self._ill
        if healthy:
            self._note("healthy", name)
        return healthy

    def record_health(self, name: str, health: Health) -> None:
        container = self._truth.containers.get(name)
        if container is not None and isinstance(container.status, Running):
            self._put_status(name, replace(container.status, health=health))

    def record_hooks(self, name: str, done: int) -> None:
        container = self._truth.containers.get(name)
        if container is not None:
            self._truth = with_container(self._truth, name, replace(container, hooks_done=done))

    def next_end(self) -> float | None:
        """When the next program ends, as far as is known."""
        while self._ends and not self._is_current(*self._ends[0]):
            heappop(self._ends)
        return self._ends[0][0] if self._ends else None

    def _is_current(self, ends_at: float, name: str) -> bool:
        """Whether the program still ends then: it may have ended, or do so at another time."""
        return name in self._processes and self._processes[name].ends_at == ends_at

    def pass_time(self) -> None:
        """End programs whose time has come."""
        if not self._ends:
            return
        now = self.now()
        while (ended_at := self.next_end()) is not None and ended_at <= now:
            _, name = heappop(self._ends)
            process = self._processes.pop(name)
            status = self._truth.containers[name].status
            assert isinstance(status, Running)
            self._put_status(name, Exited(process.exit_code, status.started_at, ended_at, stopped=process.stopped))
            self.journal.append(Entry(ended_at, "exited", name, None, process.exit_code))
            self._notify(name)

    def _put_status(self, name: str, status: Running | Exited) -> None:
        container: Container = replace(self._truth.containers[name], status=status)
        self._truth = with_container(self._truth, name, container)

    def _note(self, what: str, name: str, spec: ContainerSpec | None = None) -> None:
        self.journal.append(Entry(self.now(), what, name, spec, None))

    def _notify(self, name: str) -> None:
        if self.listener is not None:
            self.listener(name)
