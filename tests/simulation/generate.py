"""Random stacks, programs and commands. The same seed gives the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import Event, move_on_after

from orchestra.driver.fake.program import Program, Run
from orchestra.driver.fake.world import World
from orchestra.errors import FatalError
from orchestra.model.container import (
    Condition,
    ContainerSpec,
    Dependency,
    Endpoint,
    HealthcheckSpec,
    Restart,
    RestartPolicy,
)
from orchestra.model.desired import Desired, ImageSpec, NetworkSpec, Request, VolumeSpec
from orchestra.model.hook import Hook
from orchestra.model.mount import VolumeMount
from orchestra.model.request import Changes
from orchestra.model.sharing import OfService, Own, Sharing
from orchestra.model.update import FailureAction, Order, Update
from orchestra.model.wish import Recreate
from orchestra.plan.desire import apart, desire, leave, restart, start, stop
from orchestra.plan.earlier import with_earlier
from orchestra.plan.selection import with_one_offs_of
from orchestra.record import Record, replace
from tests.plan.stacks import wished, with_run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from orchestra.model.names import ContainerName
    from orchestra.model.observed import Observed

STACK = "sim"
EXTERNAL_NETWORK = "shared"
EXTERNAL_VOLUME = "archive"
STANDS_IN = "stands in"
MOMENTS = ["drained", "drained", STANDS_IN, "stopping", "removed", "created"]
"""In the middle of a change."""


class Service(Record):
    """One service over its whole life; commands change ``version``, ``endpoint``, ``networks`` and ``replicas``."""

    name: str
    rank: int
    depends_on: tuple[Dependency, ...]
    restart: Restart
    healthcheck: HealthcheckSpec | None
    networks: tuple[str, ...]
    volumes: tuple[str, ...]
    network_mode: Sharing
    image: str
    replicas: int
    version: int = 1
    endpoint: int = 1
    update: Update | None = None
    hooks: tuple[int, int] = (0, 0)
    inits: int = 0

    def containers(self) -> list[ContainerSpec]:
        replicas = self._replicas()
        steps = range(self.inits) if replicas else ()
        return [replace(spec, pre_start=tuple(self._init(replicas[0], step) for step in steps)) for spec in replicas]

    def _init(self, first: ContainerSpec, step: int) -> ContainerSpec:
        name = f"{STACK}-{self.name}-pre_start-{step}"
        plain = {"post_start": (), "pre_stop": (), "restart": Restart(), "healthcheck": None}
        return replace(first, name=name, index=0, step=step, initializes=first.name, **plain)

    def _endpoints(self) -> tuple[Endpoint, ...]:
        return tuple(Endpoint(network, config_hash=f"v{self.endpoint}") for network in self.networks)

    def _replicas(self) -> list[ContainerSpec]:
        return [
            ContainerSpec(
                name=f"{STACK}-{self.name}-{index}",
                service=self.name,
                index=index,
                image=self.image,
                config_hash=f"{self.name} v{self.version}",
                rank=self.rank,
                depends_on=self.depends_on,
                restart=self.restart,
                healthcheck=self.healthcheck,
                endpoints=self._endpoints() if self.network_mode == Own() else (),
                mounts=tuple(VolumeMount(f"/{volume}", volume) for volume in self.volumes),
                network_mode=self.network_mode,
                stop_grace_period=5.0,
                update=self.update,
                rollback=Update() if self.update else None,
                post_start=tuple(Hook((f"hello{number}",)) for number in range(self.hooks[0])),
                pre_stop=tuple(Hook((f"bye{number}",)) for number in range(self.hooks[1])),
            )
            for index in range(1, self.replicas + 1)
        ]


def generate_services(
    random: Random, *, well_behaved: bool, updates: bool = True
) -> tuple[list[Service], dict[str, Program]]:
    """Services in an order in which each depends on earlier ones only, and how their programs behave."""
    services: list[Service] = []
    programs: dict[str, Program] = {}
    for number in range(random.randint(1, 5)):
        name = "abcdef"[number]
        one_shot = random.random() < 0.25
        healthcheck = None
        if not one_shot and random.random() < 0.5:
            healthcheck = HealthcheckSpec(
                ("true",), interval=random.choice([5.0, 30.0]), retries=2, start_period=random.choice([0.0, 5.0])
            )
        network_mode: Sharing = Own()
        depends_on = []
        for earlier in services:
            if random.random() < 0.4:
                one = programs[earlier.name].runs[-1].exits_after is not None
                conditions = [Condition.STARTED]
                if one:
                    conditions = [Condition.STARTED, Condition.COMPLETED, Condition.COMPLETED]
                elif earlier.healthcheck or (not well_behaved and random.random() < 0.1):
                    conditions = [Condition.STARTED, Condition.HEALTHY, Condition.HEALTHY]
                restart = random.random() < 0.5
                if not one and network_mode == Own() and random.random() < 0.15:
                    network_mode, restart = OfService(earlier.name), True
                required = random.random() < 0.85
                depends_on.append(Dependency(earlier.name, random.choice(conditions), restart, required))
        programs[name] = _program(random, one_shot, well_behaved)
        failing = not well_behaved and random.random() < 0.1
        programs[f"pre_start {name}"] = Program((Run(random.choice([0.1, 3.0]), int(failing)),))
        services.append(
            Service(
                name=name,
                rank=1 + max((e.rank for e in services if any(d.service == e.name for d in depends_on)), default=-1),
                depends_on=tuple(depends_on),
                restart=_restart(random, one_shot, well_behaved),
                healthcheck=healthcheck,
                networks=_some_networks(random),
                volumes=tuple(
                    sorted(random.sample([f"{STACK}_data", f"{STACK}_logs", EXTERNAL_VOLUME], random.randint(0, 1)))
                ),
                network_mode=network_mode,
                image=random.choice(["app", "base"]),
                replicas=random.choice([1, 1, 1, 2, 3]),
                update=_update(random) if updates and not one_shot and random.random() < 0.4 else None,
                hooks=(random.choice([0, 0, 1, 2]), random.choice([0, 0, 1])),
                inits=random.choice([0, 0, 0, 1, 2]),
            )
        )
    return services, programs


def _update(random: Random) -> Update:
    return Update(
        parallelism=random.choice([0, 1, 1, 2]),
        delay=random.choice([0.0, 3.0]),
        order=random.choice(list(Order)),
        monitor=random.choice([0.0, 5.0]),
        max_failure_ratio=random.choice([0.0, 0.0, 0.5]),
        failure_action=random.choice(list(FailureAction)),
    )


class Versions(World):
    """bad: hashes of definitions that do not work; those of even versions end after every monitor time, and unproven.
    refused: of definitions that cannot be, by the call that says so.

    moment: what is awaited to happen, if anything is.
    """

    bad: frozenset[str] = frozenset()
    moment: tuple[str, Event] | None = None
    refused: Mapping[str, str] = {}

    def check(self, spec: ContainerSpec) -> None:
        self._refuse("check", spec)

    def create(self, spec: ContainerSpec, image_digest: str) -> None:
        self._refuse("create", spec)
        super().create(spec, image_digest)

    def start(self, name: str, restarts: int, backoff: int, runs_with: Mapping[ContainerName, str]) -> None:
        if name in self._specs:
            self._refuse("start", self._specs[name])
        super().start(name, restarts, backoff, runs_with)

    def _note(self, what: str, name: str, spec: ContainerSpec | None = None) -> None:
        super()._note(what, name, spec)
        if self.moment is not None and self.moment[0] == (STANDS_IN if spec and spec.stand_in else what):
            self.moment[1].set()

    async def wait_for(self, what: str, seconds: float) -> None:
        """Until that happens next, or for that long."""
        self.moment = what, Event()
        with move_on_after(seconds):
            await self.moment[1].wait()

    def _refuse(self, call: str, spec: ContainerSpec) -> None:
        if self.refused.get(spec.config_hash) == call and not spec.initializes:
            raise FatalError(f"{call} {spec.name}: {spec.config_hash} cannot be")

    def program_of(self, spec: ContainerSpec) -> Program:
        program = super().program_of(spec)
        if spec.config_hash in self.bad and not spec.initializes:
            last = program.runs[-1] if program.runs[-1].exits_after is not None else Run(healthy_from=None)
            early, late = (Run(1.0, 1), Run(0.0, 1)), (Run(8.0, 1, healthy_from=None),) * 2
            return replace(program, runs=(*(late if spec.config_hash.endswith(("2", "4")) else early), last))
        return program


def _some_networks(random: Random) -> tuple[str, ...]:
    return tuple(sorted(random.sample([f"{STACK}_x", f"{STACK}_y", EXTERNAL_NETWORK], random.randint(0, 2))))


def _program(random: Random, one_shot: bool, well_behaved: bool) -> Program:
    """One-shots end; others run for good after at most a few bad runs, so that every world comes to rest."""
    times = {
        "create_seconds": random.choice([0.0, 0.1]),
        "start_seconds": random.choice([0.0, 0.1, 2.0]),
        "probe_seconds": random.choice([0.0, 0.05]),
        "hook_seconds": random.choice([0.0, 0.1, 2.0]),
        "failing_hooks": () if well_behaved or random.random() < 0.9 else ("hello1",),
    }
    healthy_from = random.choice([0.0, 0.3, 4.0])
    stops_after = random.choice([0.0, 0.5, None])
    if one_shot:
        code = 0 if well_behaved else random.choice([0, 0, 1])
        bad = () if well_behaved else tuple(Run(0.2, 1) for _ in range(random.choice([0, 0, 1])))
        return Program((*bad, Run(random.choice([0.0, 0.5, 20.0]), code, stops_after=stops_after)), **times)
    last = Run(healthy_from=healthy_from, stops_after=stops_after)
    if well_behaved:
        return Program((last,), **times)
    if random.random() < 0.15:
        last = replace(last, healthy_from=None)
    bad = tuple(
        Run(random.choice([0.0, 0.3, 12.0]), random.choice([0, 1, 137]), healthy_from=0.0, stops_after=stops_after)
        for _ in range(random.choice([0, 0, 1, 3]))
    )
    return Program((*bad, last), **times)


def _restart(random: Random, one_shot: bool, well_behaved: bool) -> Restart:
    """A program that is never healthy must not be restarted for that: it would be so for ever."""
    if one_shot:
        return random.choice([Restart(), Restart(RestartPolicy.ON_FAILURE, 2)])
    return random.choice(
        [
            Restart(),
            Restart(RestartPolicy.ALWAYS, unhealthy=well_behaved),
            Restart(RestartPolicy.UNLESS_STOPPED),
            Restart(RestartPolicy.ON_FAILURE),
            Restart(RestartPolicy.ON_FAILURE, 1),
        ]
    )


def desired_of(
    services: list[Service], request: Request, network_version: int = 1, pull_policy: str = "missing"
) -> Desired:
    containers = tuple(spec for service in services for spec in service.containers())
    networks = sorted({endpoint.network for spec in containers for endpoint in spec.endpoints})
    volumes = sorted({mount.name for spec in containers for mount in spec.mounts})
    return Desired(
        stack=STACK,
        services=tuple(service.name for service in services),
        containers=containers,
        networks=tuple(
            NetworkSpec(name, name, f"net v{network_version}", external=name == EXTERNAL_NETWORK) for name in networks
        ),
        volumes=tuple(VolumeSpec(name, name, external=name == EXTERNAL_VOLUME) for name in volumes),
        images=tuple(
            ImageSpec(image, pull_policy=pull_policy) for image in sorted({spec.image for spec in containers})
        ),
        request=request,
    )


KINDS = [
    "up",
    "up",
    "change",
    "change",
    "change",
    "changes",
    "changes",
    "scale",
    "recreate",
    "down",
    "part",
    "network",
    "move",
    "stop",
    "drop",
]
KINDS += ["restart", "kill", "create", "run", "run"]
SECOND_THOUGHTS = ["back", "grow"]
"""What follows a change while it is being made."""
OF_REPLICAS = ("stop", "restart", "kill")
"""What may be about some replicas only."""
OF_WHAT_WAS = ("down", "part", "restart", "kill", "create")


class Commands:
    """What somebody does with the stack: each ``next`` is one more command, as the desired state it leads to."""

    def __init__(self, random: Random, services: list[Service], alone: Random) -> None:
        """alone: decides which commands are about some replicas only, as the API's are."""
        self.random = random
        self.alone = alone
        self.services = services
        self.network_version = 1
        self.runs = 0
        self.current: Desired | None = None
        self.changed = 0

    def next(self, at: float, observed: Observed) -> Desired:
        return self._do(self.random.choice(KINDS), at, observed)

    def change_updated(self, at: float, observed: Observed) -> Desired:
        """Change a service that has several replicas and is updated bit by bit, if there is one."""
        rolling = [number for number, service in enumerate(self.services) if service.update]
        best = [number for number in rolling if self.services[number].replicas > 1]
        self.changed = self.random.choice(best or rolling or range(len(self.services)))
        return self._do("this", at, observed)

    def think_again(self, at: float, observed: Observed) -> Desired:
        """While that is under way: as before, or more of it."""
        self.changed = min(self.changed, len(self.services) - 1)
        return self._do(self.random.choice(SECOND_THOUGHTS), at, observed)

    def _do(self, kind: str, at: float, observed: Observed) -> Desired:
        before, after = self.current, self._command(kind, at)
        self.current = after if kind in OF_WHAT_WAS else with_one_offs_of(before, after)
        if before is not None and kind in OF_REPLICAS and self.alone.random() < 0.5:
            self.current = self._of_some_replicas(before, at)
        elif before is not None and kind not in ("down", "kill", "restart"):
            self.current = with_earlier(self.current, before, observed)
        if kind == "run":
            self.current = self._run(self.current, at)
        return self.current

    def _of_some_replicas(self, current: Desired, at: float) -> Desired:
        """Stop, start, restart or kill them, and leave the others of their services alone."""
        alone = self.alone
        names = [spec.name for spec in current.of_services]
        chosen = alone.sample(names, min(len(names), alone.choice([1, 1, 2])))
        services = sorted({spec.service for spec in current.of_services if spec.name in chosen})
        match alone.choice(["stop", "stop", "start", "restart", "kill"]):
            case "stop":
                after = stop(current, services, alone.choice([None, 0.0]), at)
            case "start":
                after = start(current, services, at)
            case "restart":
                after = restart(current, services, alone.choice([None, 0.0]), at)
            case _:
                after = leave(current, services, at)
        return apart(current, after, chosen)

    def _run(self, desired: Desired, at: float) -> Desired:
        """With the container of one more one-off command, if there is a service to have one."""
        self.runs += 1
        services = sorted({spec.service for spec in desired.of_services if spec.index == 1})
        if not services:
            return desired
        flags = {name: self.random.random() < 0.3 for name in ("alone", "remove_when_ended")}
        return with_run(desired, self.random.choice(services), name=f"{STACK}-run-{self.runs}", at=at, **flags)

    def up(self, at: float, observed: Observed | None = None) -> Desired:
        before = self.current
        self.current = with_one_offs_of(before, self._desired(Request(at=at, remove_orphans=True)))
        if before is not None and observed is not None:
            self.current = with_earlier(self.current, before, observed)
        return self.current

    def down(self, at: float) -> Desired:
        self.current = self._down(Request(at=at, remove_volumes=self.random.random() < 0.5, remove_orphans=True))
        return self.current

    def _desired(self, request: Request) -> Desired:
        policy = self.random.choice(["missing", "missing", "always"])
        return desired_of(self.services, request, self.network_version, policy)

    def _down(self, request: Request) -> Desired:
        return Desired(STACK, services=tuple(service.name for service in self.services), request=request)

    def _command(self, kind: str, at: float) -> Desired:
        random = self.random
        names = [service.name for service in self.services]
        request = Request(at=at, remove_orphans=random.random() < 0.3)
        match kind:
            case "change":
                self._alter(lambda s: replace(s, version=s.version + 1))
            case "changes":
                for _ in range(random.randint(2, 4)):
                    self._alter(lambda s: replace(s, version=s.version + 1))
            case "this":
                self._alter(lambda s: replace(s, version=s.version + 1), self.changed)
            case "back":
                self._alter(lambda s: replace(s, version=max(1, s.version - 1)), self.changed)
            case "grow":
                self._alter(lambda s: replace(s, replicas=s.replicas + 2), self.changed)
            case "move":
                self._alter(lambda s: replace(s, networks=_some_networks(random), endpoint=s.endpoint + 1))
            case "scale":
                self._alter(lambda s: replace(s, replicas=random.randint(0, 3)))
            case "recreate":
                some = random.sample(names, random.randint(1, len(names)))
                return wished(self._desired(request), *some, recreate=Recreate.ALWAYS)
            case "network":
                self.network_version += 1
            case "stop":
                return stop(self._desired(request), names, random.choice([None, 0.0]), request.at)
            case "restart":
                some = random.sample(names, random.randint(1, len(names)))
                return restart(self.current or self._desired(request), some, random.choice([None, 0.0]), at)
            case "kill":
                some = random.sample(names, random.randint(1, len(names)))
                return leave(self.current or self._desired(request), some, at)
            case "create":
                return desire(self.current, self._desired(request), Changes(start=False), at)
            case "drop" if len(names) > 1:
                gone = random.choice(names)
                self.services = [
                    replace(s, depends_on=tuple(d for d in s.depends_on if d.service != gone), network_mode=Own())
                    for s in self.services
                    if s.name != gone
                ]
            case "part":
                chosen = random.sample(names, random.randint(1, len(names)))
                alone = random.random() < 0.2
                changes = Changes(
                    services=tuple(chosen if alone else self._with_needs(chosen)),
                    named=tuple(chosen),
                    alone=alone,
                    recreate=random.choice(list(Recreate)),
                    recreate_dependencies=random.random() < 0.3,
                    remove_orphans=request.remove_orphans,
                )
                return desire(self.current, self._desired(request), changes, at)
            case "down":
                remove = random.random() < 0.3
                return self._down(replace(request, remove_volumes=remove, stop_timeout=random.choice([None, 1.0])))
        return self._desired(request)

    def _alter(self, change, position: int | None = None) -> None:
        position = self.random.randrange(len(self.services)) if position is None else position
        self.services[position] = change(self.services[position])

    def _with_needs(self, chosen: list[str]) -> set[str]:
        wanted = set(chosen)
        for service in reversed(self.services):
            if service.name in wanted:
                wanted |= {dependency.service for dependency in service.depends_on}
        return wanted
