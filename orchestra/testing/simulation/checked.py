"""A fake driver that watches every call for what must never happen."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from orchestra.driver.fake.driver import FakeDriver
from orchestra.errors import TemporaryError
from orchestra.model.container import Condition
from orchestra.model.observed import Created, Exited, Running
from orchestra.model.resource import ResourceId
from orchestra.model.sharing import OfService
from orchestra.model.wish import Goal, Wish
from orchestra.plan.backoff import delay
from orchestra.plan.replace import is_outlived
from orchestra.plan.restart import next_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestra.driver.fake.faults import Faults
    from orchestra.driver.fake.world import World
    from orchestra.engine.driver import ProbeResult
    from orchestra.engine.loop import Engine
    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.hook import Hook
    from orchestra.model.names import ContainerName
    from orchestra.model.observed import Container
    from orchestra.plan.action import AnonymousVolumes

ROUNDING = 1e-3
"""Seconds by which two clocks may differ."""
PROOF = {Condition.STARTED: "started", Condition.HEALTHY: "healthy", Condition.COMPLETED: "exited"}


class CheckedDriver(FakeDriver):
    """Raises AssertionError, which ends the life. engine: the one that it serves."""

    engine: Engine

    def __init__(self, world: World, faults: Faults) -> None:
        super().__init__(world, faults)
        self._busy: set[str] = set()
        self._checked: set[tuple[str, str]] = set()
        self._decided: set[str] = set()
        self._failed: dict[str, tuple[str, float, object]] = {}

    @property
    def _desired(self) -> Desired:
        return self.engine.desired

    @contextmanager
    def _alone(self, resource: str, verb: str = "") -> Iterator[None]:
        """At most one call per resource. verb: after a failure not at once again, if it is an action by itself."""
        assert resource not in self._busy, f"two calls at once on {resource}"
        now, asked = anyio.current_time(), (self._desired.request, self._desired.wishes, self._desired.apart)
        failed, failed_at, asked_then = self._failed.pop(resource, ("", 0.0, None))
        soon = verb and failed == verb and asked == asked_then and now - failed_at < delay(0) - ROUNDING
        assert not soon or self.world.is_shifted, f"{verb} {resource} was tried again at once"
        self._busy.add(resource)
        try:
            yield
        except TemporaryError:
            self._failed[resource] = verb, now, asked
            raise
        finally:
            self._busy.remove(resource)

    def _seen(self, name: str) -> Container | None:
        return self.world.observed.containers.get(name)

    async def check(self, spec: ContainerSpec, image_digest: str, *, settled: bool = True) -> None:
        with self._alone(spec.name, "check"):
            await super().check(spec, image_digest, settled=settled)
        self._checked.add((spec.name, spec.config_hash))

    async def create(self, spec: ContainerSpec, image_digest: str) -> Container | None:
        assert spec.one_off is None or not spec.one_off.started, f"the command {spec.name} was about to run again"
        if not (spec.one_off or spec.initializes):
            twins = [each.name for each in self.world.observed.containers.values() if _is_twin(each, spec)]
            assert not twins, f"{spec.name} was created beside {twins[0]}"
        for whose in (spec.network_mode, spec.pid, spec.ipc):
            lenders = self._desired.replicas(whose.service) if isinstance(whose, OfService) else ()
            known = self.engine.observed.containers
            assert not lenders or any(each.name in known for each in lenders), f"{spec.name} was created too early"
        with self._alone(spec.name, "create"):
            return await super().create(spec, image_digest)

    async def start(
        self, name: str, *, restarts: int, backoff: int, runs_with: Mapping[ContainerName, str] | None = None
    ) -> Container | None:
        inits: dict[str, ContainerSpec] = {
            init.name: init for spec in self._desired.of_services for init in spec.pre_start
        }
        spec = self._desired.container(name) or inits.get(name)
        assert spec is not None, f"{name} was started, but is not wanted"
        container = self._seen(name)
        if container is not None and isinstance(container.status, Created):
            self._assert_initialized(name, spec)
        if restarts and container is not None and isinstance(container.status, Exited):
            following = next_run(spec.restart, container, container.status)
            assert following is not None, f"{name} was restarted against its policy"
            early = following.at - self.world.now()
            assert early <= ROUNDING or self.world.is_shifted, f"{name} was restarted {early:.1f} s too early"
        wish = self._wish_for(spec)
        assert not wish.rests, f"{name} was started, but is to rest"
        goes_back = (spec.initializes or name) in self.engine.observed.refused
        assert wish.goal is Goal.RUN or restarts or goes_back, f"{name} was started, but is to be created only"
        for dependency in spec.depends_on if not wish.alone else ():
            looked_at = restarts or not wish.restart or self._desired.wish(dependency.service).restart
            if not (dependency.required and looked_at):
                continue
            for replica in self._desired.replicas(dependency.service):
                if not replica.stand_in and self._desired.wish_of(replica).goal is Goal.RUN:
                    self._assert_held(name, replica, dependency.condition)
                    assert restarts or self._has_run_its_hooks(replica.name), f"{name} was started before those hooks"
        with self._alone(name, "start"):
            return await super().start(name, restarts=restarts, backoff=backoff, runs_with=runs_with)

    def _wish_for(self, spec: ContainerSpec) -> Wish:
        """What it is started for: an init container for any of the replicas, perhaps one that is asked for alone."""
        if spec.one_off is not None:
            return Wish(alone=spec.one_off.alone)
        if not spec.initializes:
            return self._desired.wish_of(spec)
        wishes = map(self._desired.wish_of, self._desired.replicas(spec.service))
        return max(wishes, key=lambda wish: (wish.goal is Goal.RUN, wish.restart))

    def begin(self, name: str, restarts: int, backoff: int, runs_with: Mapping[ContainerName, str]) -> None:
        spec = self._desired.container(name)
        unwanted = spec is not None and spec.one_off is None and self._desired.wish_of(spec).rests
        assert not unwanted, f"the start of {name} went on, although it is to rest"
        super().begin(name, restarts, backoff, runs_with)

    def _assert_initialized(self, name: str, spec: ContainerSpec) -> None:
        """Every init container has completed since the container that it initializes was created, in order."""
        ended = []
        for init in spec.pre_start:
            seen, owner = self._seen(init.name), self._seen(init.initializes)
            assert seen is not None, f"{name} was started before {init.name}"
            assert isinstance(seen.status, Exited), f"{name} was started before {init.name} ended"
            assert seen.status.succeeded, f"{name} was started although {init.name} failed"
            assert owner is None or not is_outlived(owner, seen), f"{name} was started before {init.name} again"
            ended.append(seen.status.finished_at)
        assert ended == sorted(ended) or self.world.is_shifted, f"the init containers of {name} did not run in order"

    def _has_run_its_hooks(self, name: str) -> bool:
        container = self._seen(name)
        return container is None or not (isinstance(container.status, Running) and container.hooks_left)

    async def run_hook(self, name: str, hook: Hook, *, timeout: float | None) -> ProbeResult:
        container = self._seen(name)
        if container is not None and hook in container.pre_stop:
            self._assert_ours(name)  # from here on it is completed, whatever another command asks for meanwhile
            self._assert_replaceable(name)
            self._decided.add(name)
        with self._alone(name):
            return await super().run_hook(name, hook, timeout=timeout)

    def _assert_said_goodbye(self, name: str) -> None:
        """Before a container is asked to stop, its pre_stop hooks have run, if there was time."""
        container = self._seen(name)
        if container is None or not isinstance(container.status, Running) or container.status.stopping:
            return
        left = {f"hook {hook.command[0]}" for hook in container.pre_stop}
        for entry in reversed(self.world.journal):
            if entry.name == name:
                if entry.what == "started":
                    break
                left.discard(entry.what)
        assert not left, f"{name} was stopped at once"

    def _assert_held(self, name: str, replica: ContainerSpec, condition: Condition) -> None:
        """The condition held at some time since the container it is about was made."""
        for entry in reversed(self.world.journal):
            if entry.name == replica.name:
                if entry.what == PROOF[condition] and not entry.exit_code:
                    return
                if entry.what == "created":
                    break
        raise AssertionError(f"{name} was started before {replica.name}: {condition}")

    async def stop(self, name: str, *, signal: str, timeout: float) -> None:
        if not self._desired.containers:
            self._assert_no_dependent_runs(name)
        if name not in self._decided:
            self._assert_ours(name)
            self._assert_replaceable(name)
        self._decided.discard(name)
        if timeout:
            self._assert_said_goodbye(name)
        with self._alone(name):
            await super().stop(name, signal=signal, timeout=timeout)

    def _assert_replaceable(self, name: str) -> None:
        """Nothing is stopped for a definition that was not found to be startable."""
        wanted, container = self._desired.container(name), self._seen(name)
        assert wanted is None or wanted.one_off is None, f"the command {name} was stopped"
        wish = None if wanted is None else self._desired.wish_of(wanted)
        if wanted is None or container is None or wish is None or wish.rests or wish.restart:
            return
        if name in self.engine.observed.refused:
            return  # it is restarted as it was
        if isinstance(container.status, Running) and container.config_hash != wanted.config_hash:
            known = (name, wanted.config_hash) in self._checked or self._was_decided_before(name, wish)
            assert known, f"{name} was stopped for an unchecked definition"

    def _was_decided_before(self, name: str, wish: Wish) -> bool:
        """Whether what is under way was begun for an earlier command than the last one about its service."""
        begun = [each.at for each in self.engine.snapshot().under_way if each.resource == ResourceId.container(name)]
        return any(at < wish.at or self.world.is_shifted for at in begun)

    def _assert_no_dependent_runs(self, name: str) -> None:
        containers = self.world.observed.containers
        service = containers[name].service if name in containers else ""
        for other in containers.values():
            leaves = other.service in self._desired.services or self._desired.request.remove_orphans
            runs = isinstance(other.status, Running) and service in other.depends_on and leaves
            assert not runs, f"{name} was stopped while {other.name}, which depends on it, runs"

    def _assert_ours(self, name: str) -> None:
        container = self._seen(name)
        if container is not None and container.service not in self._desired.services and not container.one_off:
            assert self._desired.request.remove_orphans, f"the orphan {name} was touched unasked"

    async def remove(self, name: str, *, volumes: AnonymousVolumes) -> None:
        self._assert_ours(name)
        self._assert_not_only_stopped(name)
        with self._alone(name, "remove"):
            await super().remove(name, volumes=volumes)

    def _assert_not_only_stopped(self, name: str) -> None:
        """What a command has only stopped stays, unless a network that it is on is replaced."""
        wanted, container = self._desired.container(name), self._seen(name)
        if wanted is None or wanted.one_off or container is None:
            return
        wish = self._desired.wish_of(wanted)
        if wish.goal is not Goal.STOP or self._was_decided_before(name, wish):
            return
        hashes = {network.name: network.config_hash for network in self._desired.networks}
        networks = self.engine.observed.networks
        changed = [
            each
            for each in container.networks
            if each not in networks or hashes.get(each, networks[each].config_hash) != networks[each].config_hash
        ]
        assert changed, f"{name} was removed, but is only to be stopped"

    async def remove_volume(self, name: str) -> None:
        assert self._desired.request.remove_volumes, f"volume {name} was removed unasked"
        assert not self._desired.containers, f"volume {name} was removed while the stack is up"
        with self._alone(name, "remove_volume"):
            await super().remove_volume(name)

    async def remove_network(self, name: str) -> None:
        with self._alone(name, "remove_network"):
            await super().remove_network(name)


def _is_twin(container: Container, spec: ContainerSpec) -> bool:
    """Whether it is another container for the same replica."""
    if container.one_off or container.name == spec.name:
        return False
    return (container.service, container.index) == (spec.service, spec.index)
