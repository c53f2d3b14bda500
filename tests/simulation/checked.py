"""A fake driver that watches every call for what must never happen."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestra.driver.fake.driver import FakeDriver
from orchestra.model.desired import Condition
from orchestra.model.observed import Created, Exited, Running
from orchestra.model.wish import Goal, Wish

if TYPE_CHECKING:
    from orchestra.engine.loop import Engine
    from orchestra.model.desired import ContainerSpec, Desired

PROOF = {Condition.STARTED: "started", Condition.HEALTHY: "healthy", Condition.COMPLETED: "exited"}


class CheckedDriver(FakeDriver):
    engine: Engine

    def __init__(self, world, faults) -> None:
        super().__init__(world, faults)
        self.busy: set[str] = set()
        self.checked: set[tuple[str, str]] = set()
        self.decided: set[str] = set()

    @property
    def desired(self) -> Desired:
        return self.engine.desired

    @contextmanager
    def alone(self, resource):
        """At most one call per resource."""
        assert resource not in self.busy, f"two calls at once on {resource}"
        self.busy.add(resource)
        try:
            yield
        finally:
            self.busy.remove(resource)

    async def check(self, spec, image_digest, *, settled=True):
        with self.alone(spec.name):
            await super().check(spec, image_digest, settled=settled)
        self.checked.add((spec.name, spec.config_hash))

    async def create(self, spec, image_digest):
        with self.alone(spec.name):
            await super().create(spec, image_digest)

    async def start(self, name, *, restarts, backoff):
        inits = {init.name: init for spec in self.desired.of_services for init in spec.pre_start}
        spec = self.desired.container(name) or inits.get(name)
        assert spec is not None, f"{name} was started, but nobody wants it"
        if isinstance(self.world.observed.containers[name].status, Created):
            self.assert_initialized(name, spec)
        wish = self.desired.wish(spec.service) if spec.one_off is None else Wish(alone=spec.one_off.alone)
        assert not wish.rests, f"{name} was started, but is to rest"
        assert wish.goal is Goal.RUN or restarts, f"{name} was started, but is to be created only"
        for dependency in spec.depends_on if not wish.alone else ():
            needed = self.desired.wish(dependency.service)
            looked_at = restarts or not wish.restart or needed.restart
            for replica in self.desired.replicas(dependency.service):
                if dependency.required and needed.goal is Goal.RUN and looked_at:
                    self.assert_held(name, replica, dependency.condition)
                    assert restarts or self.has_run_its_hooks(replica.name), f"{name} was started before those hooks"
        with self.alone(name):
            await super().start(name, restarts=restarts, backoff=backoff)

    def assert_initialized(self, name: str, spec: ContainerSpec) -> None:
        """Every init container has completed since the container that it initializes was created, in order."""
        ended = []
        for init in spec.pre_start:
            seen = self.world.observed.containers.get(init.name)
            assert seen is not None, f"{name} was started before {init.name}"
            assert isinstance(seen.status, Exited), f"{name} was started before {init.name} ended"
            assert seen.status.succeeded, f"{name} was started although {init.name} failed"
            assert seen.created_at >= self.world.observed.containers[init.initializes].created_at
            ended.append(seen.status.finished_at)
        assert ended == sorted(ended)

    def has_run_its_hooks(self, name: str) -> bool:
        container = self.world.observed.containers[name]
        return not (isinstance(container.status, Running) and container.hooks_left)

    async def run_hook(self, name, hook, *, timeout):
        container = self.world.observed.containers.get(name)
        if container is not None and hook in container.pre_stop:
            self.assert_replaceable(name)  # from here on it is completed, whatever another command asks for meanwhile
            self.decided.add(name)
        with self.alone(name):
            return await super().run_hook(name, hook, timeout=timeout)

    def assert_said_goodbye(self, name: str) -> None:
        """Before a container is asked to stop, its pre_stop hooks have run, if there was time."""
        container = self.world.observed.containers.get(name)
        if container is None or not isinstance(container.status, Running) or container.status.stopping:
            return
        since: set[str] = set()
        for entry in self.world.journal:
            if entry.name == name:
                since = set() if entry.what == "started" else since | {entry.what}
        assert since >= {f"hook {hook.command[0]}" for hook in container.pre_stop}, f"{name} was stopped at once"

    def assert_held(self, name: str, replica: ContainerSpec, condition: Condition) -> None:
        """The condition held at some time since the container it is about was made."""
        for entry in reversed(self.world.journal):
            if entry.name == replica.name:
                if entry.what == PROOF[condition] and not entry.exit_code:
                    return
                if entry.what == "created":
                    break
        raise AssertionError(f"{name} was started before {replica.name}: {condition}")

    async def stop(self, name, *, signal, timeout):
        self.assert_ours(name)
        if not self.desired.containers:
            self.assert_no_dependent_runs(name)
        if name not in self.decided:
            self.assert_replaceable(name)
        self.decided.discard(name)
        if timeout:
            self.assert_said_goodbye(name)
        with self.alone(name):
            await super().stop(name, signal=signal, timeout=timeout)

    def assert_replaceable(self, name: str) -> None:
        """Nothing is stopped for a definition that was not found to be startable."""
        wanted, container = self.desired.container(name), self.world.observed.containers.get(name)
        if wanted is not None and wanted.one_off is not None:
            raise AssertionError(f"the command {name} was stopped")
        if wanted is None or container is None or self.desired.wish(wanted.service).rests:
            return
        if isinstance(container.status, Running) and container.config_hash != wanted.config_hash:
            assert (name, wanted.config_hash) in self.checked, f"{name} was stopped for an unchecked definition"

    def assert_no_dependent_runs(self, name: str) -> None:
        containers = self.world.observed.containers
        service = containers[name].service if name in containers else ""
        for other in containers.values():
            leaves = other.service in self.desired.services or self.desired.request.remove_orphans
            if isinstance(other.status, Running) and service in other.depends_on and leaves:
                raise AssertionError(f"{name} was stopped while {other.name}, which depends on it, runs")

    def assert_ours(self, name: str) -> None:
        container = self.world.observed.containers.get(name)
        if container is not None and container.service not in self.desired.services and not container.one_off:
            assert self.desired.request.remove_orphans, f"the orphan {name} was touched unasked"

    async def remove(self, name, *, volumes):
        self.assert_ours(name)
        with self.alone(name):
            await super().remove(name, volumes=volumes)

    async def remove_volume(self, name):
        assert self.desired.request.remove_volumes, f"volume {name} was removed unasked"
        assert not self.desired.containers, f"volume {name} was removed while the stack is up"
        with self.alone(name):
            await super().remove_volume(name)

    async def remove_network(self, name):
        with self.alone(name):
            await super().remove_network(name)
