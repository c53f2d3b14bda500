"""The Driver protocol on this machine. Blocking calls run in threads; the modules beside this one do the work."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, asynccontextmanager, suppress
from errno import ENOENT, ESRCH
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

from orchestra.container.directory import ContainerDirectory
from orchestra.driver.local import hook as hooks
from orchestra.driver.local import probe, volume
from orchestra.driver.local.api_sockets import ApiSockets
from orchestra.driver.local.container import Containers, Following
from orchestra.driver.local.image.store import ImageStore
from orchestra.driver.local.keeping import Keeping
from orchestra.driver.local.net import network
from orchestra.driver.local.net.nameserver import serving_names
from orchestra.driver.local.net.watch import NetworkWatch
from orchestra.driver.local.observe import observe_container, observe_containers
from orchestra.driver.local.pause import pause, unpause
from orchestra.driver.local.projections import Projections
from orchestra.driver.local.record import store_error, store_health, store_hooks, store_start
from orchestra.driver.local.runtime.failure import runtime_errors
from orchestra.driver.local.runtime.runtime import Runtime
from orchestra.driver.local.stopping import KILL, Stopping, kill
from orchestra.driver.local.turns import Turns
from orchestra.driver.local.watch import Watch
from orchestra.driver.local.watching import watch_keeper, watch_networks
from orchestra.engine.driver import Refused
from orchestra.errors import DriverError, FatalError, TemporaryError
from orchestra.home import is_rootless
from orchestra.linux.directory_lock import locked
from orchestra.model.names import ContainerName, StackName
from orchestra.model.observed import Created, Observed, Running
from orchestra.names.files import load_standing
from orchestra.shim.client import start_resolver
from orchestra.shim.finding import find_again
from orchestra.shim.state import Status, state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.driver.local.net.nameserver import NameServer
    from orchestra.engine.driver import ProbeResult
    from orchestra.home import Home
    from orchestra.model.container import ContainerSpec, Endpoint
    from orchestra.model.desired import Desired, ImageSpec, NetworkSpec, VolumeSpec
    from orchestra.model.health import Health, Probed
    from orchestra.model.hook import Hook
    from orchestra.model.observed import Container, Image
    from orchestra.names.client import Sockets
    from orchestra.plan.action import AnonymousVolumes

KILLED = 128 + KILL
RECORDING = 1.0
"""Seconds in which the end of a container is recorded."""


def open_driver(home: Home, stack: str) -> LocalDriver:
    return LocalDriver(home, stack)


class LocalDriver:
    """Serves one stack of one home. Looking works at any time; everything else needs ``serving``."""

    def __init__(self, home: Home, stack: str) -> None:
        self._home = home
        self._stack = stack
        self._stack_home = home.stack(stack)
        self._images = ImageStore(home)
        self._runtime = Runtime(self._stack_home.fork_socket)
        self._containers = Containers(home, stack, self._images, self._runtime)
        self._projections = Projections(
            partial(self._follow_rules, network.restore),
            partial(self._follow_rules, network.apply),
            partial(network.publish, home, stack),
        )
        self._keeping = Keeping(self._containers.keep)
        self._names: NameServer | None = None
        self._networks: NetworkWatch | None = None
        self._api: ApiSockets | None = None
        self._serves = False
        self._turns = Turns()

    def _follow_rules(self, apply: Callable[[Home, str], None]) -> None:
        apply(self._home, self._stack)
        self._containers.lead_ports()

    def take_environment(self, environment: Mapping[str, str]) -> None:
        self._images.environment = environment

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        changed, changes = anyio.create_memory_object_stream[str | None](float("inf"))

        def tell_of_end(name: str) -> None:
            self._keeping.note(name)
            self._follow_standing(name)
            changed.send_nowait(name)

        watch = Watch(self._stack_home, tell_of_end)
        # What looks in a thread goes on when all tasks are cancelled: what it uses stays open until they have ended.
        with changed, changes, watch as self._watch, self._containers, ExitStack() as opened:
            self._changes = changes
            for name in await run_sync(self._containers.names):
                self._watch.add(name)
                self._keeping.note(name)
            async with (
                serving_names(self._home, self._stack, self._launch_resolver) as self._names,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(self._watch.run, name="watch on containers")
                tasks.start_soon(self._projections.run, name="rules and names")
                tasks.start_soon(self._keeping.run, name="what a reboot must not take")
                if (networks := self._open_network_watch(opened)) is not None:
                    tell = partial(changed.send_nowait, None)
                    tasks.start_soon(watch_networks, networks, self._stack, tell, name="watch on networks")
                if is_rootless(os.environ):
                    ask = self._projections.ask
                    tasks.start_soon(watch_keeper, self._home, ask, name="watch on the home's keeper")
                self._api = ApiSockets(self._stack_home, tasks)
                opened.callback(self._api.close)
                await self._api.adopt(await run_sync(self._containers.names))
                self._serves = True
                with suppress(DriverError):  # it is tried again, and commands that wait for it get the error
                    await self._projections.settle()
                yield
                tasks.cancel_scope.cancel()

    def _launch_resolver(self) -> None:
        order = {"socket": self._stack_home.names_socket, "names": self._home.names, "home": self._home.run}
        start_resolver(self._stack_home.fork_socket, order)

    def _open_network_watch(self, opened: ExitStack) -> NetworkWatch | None:
        try:
            self._networks = watch = opened.enter_context(NetworkWatch(self._home, self._stack))
        except OSError as error:
            print(f"cannot watch the networks for changes: {error}", file=sys.stderr, flush=True)
            return None
        opened.callback(setattr, self, "_networks", None)
        return watch

    async def settle(self) -> None:
        """Wait until rules and names match the containers, even if another program has changed them."""
        self._projections.ask()
        await self._projections.settle()

    async def keep(self) -> None:
        """Return when what makes the containers whole again after a reboot is on disk."""
        await self._keeping.flush(sorted(self._containers.known))

    async def observe(self, desired: Desired) -> Observed:
        before = self._containers.known
        observed = await run_sync(self._observe, desired)
        await self._give_up_lost(before - observed.containers.keys())
        return observed

    def _observe(self, desired: Desired) -> Observed:
        containers = observe_containers(self._stack_home)
        found = [name for name, container in containers.items() if self._containers.find_again(container)]
        if found:
            containers = observe_containers(self._stack_home)
        external = {spec.name for spec in desired.networks if spec.external}
        external.update(name for container in containers.values() for name in container.networks)
        networks = network.observe_networks(
            self._home,
            self._stack,
            external,
            rules_follow=self._serves and self._projections.rules_are_pending,
            look=self._networks.look if self._networks is not None else None,
        )
        foreign = tuple(spec.name for spec in desired.volumes if spec.external)
        mounted = {name for container in containers.values() for name in container.volumes}
        volumes = volume.observe_volumes(self._home, self._stack, foreign, mounted)
        return Observed(
            StackName(self._stack),
            containers=containers,
            networks={seen.name: seen for seen in networks},
            volumes={seen.name: seen for seen in volumes},
            images=self._images.observe(desired.images),
        )

    async def inspect(self, name: str) -> Container | None:
        container = await self._turns.take(observe_container, self._stack_home.container(name))
        if container is None and name in self._containers.known:
            await self._give_up_lost({name})
        elif (
            container
            and isinstance(container.status, Created)
            and await self._turns.take(self._containers.find_again, container)
        ):
            return await self.inspect(name)
        return container

    async def _give_up_lost(self, names: Collection[str]) -> None:
        for name in names:
            if self._names is not None:
                await self._names.remove(name)
            self._follow_removal(await run_sync(self._containers.give_up_lost, name))

    async def events(self) -> AsyncIterator[str | None]:
        async for name in self._changes:
            yield name

    async def measure(self, image: ImageSpec) -> tuple[int, int] | None:
        return await run_sync(self._images.measure, image)

    async def pull(self, image: ImageSpec) -> Image:
        try:
            return await run_sync(self._images.pull, image)
        except TemporaryError as error:
            # The store has tried as often as makes sense: the command that asked for the image must hear of it.
            raise FatalError(error.message, hint=error.hint) from error

    async def create_network(self, spec: NetworkSpec) -> None:
        try:
            made = await run_sync(network.create_network, self._home, self._stack, spec)
        except FatalError as error:
            raise Refused(error.message, error.hint, spec.location) from error
        self._projections.ask()
        if not made:
            await self._projections.settle()

    async def remove_network(self, name: str) -> None:
        await run_sync(network.remove_network, self._home, self._stack, name)

    async def create_volume(self, spec: VolumeSpec) -> None:
        await run_sync(volume.create_volume, self._home, self._stack, spec)

    async def remove_volume(self, name: str) -> None:
        await run_sync(volume.remove_volume, self._home, self._stack, name)

    async def check(self, spec: ContainerSpec, image_digest: str, *, settled: bool = True) -> None:
        await run_sync(partial(self._containers.check, spec, image_digest, settled=settled))

    async def create(self, spec: ContainerSpec, image_digest: str) -> Container | None:
        with runtime_errors(spec.name):
            if self._api is not None:
                self._api.open_for(spec)
            attachment, container = await self._turns.take(self._make, spec, image_digest)
        self._watch.add(spec.name)
        self._keeping.note(spec.name)
        if attachment.interfaces:
            self._projections.ask(rules=bool(attachment.ports))
        return container

    def _make(self, spec: ContainerSpec, image_digest: str) -> tuple[Attachment, Container | None]:
        attachment = self._containers.make(spec, image_digest)
        return attachment, observe_container(self._stack_home.container(spec.name))

    async def connect(self, name: str, endpoint: Endpoint, *, by_hand: bool = False) -> None:
        with runtime_errors(name):
            attachment = await run_sync(partial(self._containers.connect, name, endpoint, by_hand=by_hand))
        await self._follow(attachment)

    async def disconnect(self, name: str, network: str, *, by_hand: bool = False) -> None:
        with runtime_errors(name):
            attachment = await run_sync(partial(self._containers.disconnect, name, network, by_hand=by_hand))
        await self._follow(attachment)

    async def _follow(self, attachment: Attachment) -> None:
        """Have rules and names match a container that has changed its networks."""
        self._projections.ask()
        if self._names is not None:
            await self._names.add(attachment)
        await self._projections.settle()

    async def start(
        self, name: str, *, restarts: int, backoff: int, runs_with: Mapping[ContainerName, str] | None = None
    ) -> Container | None:
        try:
            return await self._start(name, restarts, backoff, runs_with or {})
        except DriverError as error:
            with suppress(OSError):  # a full disk, perhaps: report the first error
                await run_sync(store_error, self._stack_home.container(name), error.message)
            raise

    async def _start(
        self, name: str, restarts: int, backoff: int, runs_with: Mapping[ContainerName, str]
    ) -> Container | None:
        with runtime_errors(name):
            prepared = await self._turns.take(self._prepare_run, name, restarts, backoff, runs_with)
        if prepared is None:
            return None
        attachment, published, sockets = prepared
        # Not in create, which may have been cancelled just before it came to this.
        if self._names is not None and sockets is not None:
            await self._names.serve(attachment, sockets)
        if published:
            self._projections.ask()
        await self._projections.settle()
        with runtime_errors(name):
            container, warnings = await run_sync(self._run, name)
        self._keeping.note(name)
        self._follow_standing(name)
        for warning in warnings:
            print(f"container {name}: {warning}", file=sys.stderr, flush=True)
        return container

    def _run(self, name: str) -> tuple[Container | None, tuple[str, ...]]:
        directory = self._stack_home.container(name)
        try:
            with locked(directory):
                warnings = self._runtime.run(directory)
        except TemporaryError as error:
            # If it runs already, the file that says so has been removed.
            if find_again(ContainerDirectory(directory), gone=True):
                raise
            raise self._containers.find_damage(name) or error from error
        except FatalError as error:
            raise self._containers.explain(name) or error from error
        return observe_container(directory), warnings

    def _prepare_run(
        self, name: str, restarts: int, backoff: int, runs_with: Mapping[ContainerName, str]
    ) -> tuple[Attachment, bool, Sockets | None] | None:
        """Everything before a run, with the result of ``prepare`` and the sockets for questions to the name server.

        None if there is nothing to do because it runs.
        """
        directory = self._stack_home.container(name)
        if state(directory).status is Status.RUNNING:
            return None
        attachment, published = self._containers.prepare(name)
        store_start(directory, restarts, backoff, runs_with)
        sockets = None if self._names is None else self._names.open(attachment)
        return attachment, published, sockets

    async def drain(self, name: str) -> None:
        with runtime_errors(name):
            changed = await run_sync(self._containers.drain, name)
        if changed:
            self._projections.ask()
            await self._projections.settle()

    async def stop(self, name: str, *, signal: str, timeout: float) -> None:
        stopping = Stopping(self._stack_home, self._containers, self._runtime, self._turns, self._watch)
        with runtime_errors(name):
            rules_must_follow = await stopping.stop(name, signal, timeout)
        if rules_must_follow:
            self._projections.ask()

    async def _wait_until_ended(self, name: str) -> None:
        while True:
            change = self._watch.change(name)
            container = await self.inspect(name)
            if container is None or not isinstance(container.status, Running):
                return
            await change.wait()

    async def kill(self, name: str, signal: int) -> None:
        with runtime_errors(name):
            await run_sync(kill, self._runtime, self._stack_home.container(name), signal)

    async def pause(self, name: str) -> None:
        with runtime_errors(name):
            await run_sync(pause, self._stack_home.container(name))

    async def unpause(self, name: str) -> None:
        with runtime_errors(name):
            await run_sync(unpause, self._stack_home.container(name))

    async def remove(self, name: str, *, volumes: AnonymousVolumes) -> None:
        if self._names is not None:
            await self._names.remove(name)
        with runtime_errors(name):
            self._follow_removal(await run_sync(partial(self._containers.remove, name, volumes=volumes)))

    def _follow_removal(self, following: Following) -> None:
        if following is not Following.NOTHING:
            self._projections.ask(rules=following is Following.RULES_AND_NAMES)

    async def probe(self, name: str, command: Sequence[str], *, timeout: float) -> ProbeResult:
        return await probe.run(self._runtime, self._stack_home.container(name), command, timeout)

    async def record_health(self, name: str, health: Health, probed: Probed | None = None) -> None:
        with runtime_errors(name):
            changed = await run_sync(self._record_health, name, health, probed)
        if changed:
            self._follow_standing(name)

    def _record_health(self, name: str, health: Health, probed: Probed | None) -> bool:
        """Returns whether names and shared ports may lead elsewhere now."""
        directory = self._stack_home.container(name)
        before = load_standing(directory)
        store_health(directory, health, probed)
        return load_standing(directory) != before

    def _follow_standing(self, name: str) -> None:
        """A port that several containers have leads to those of them that run and are well."""
        if self._containers.shares_ports(name):
            self._projections.ask()

    async def run_hook(self, name: str, hook: Hook, *, timeout: float | None) -> ProbeResult:
        with runtime_errors(name, passing=(ENOENT, ESRCH)):
            result = await hooks.run(self._runtime, self._stack_home.container(name), hook, timeout)
        if result.exit_code == KILLED:
            # The kernel kills it with the container's first process, whose end is recorded only after that.
            with anyio.move_on_after(RECORDING):
                await self._wait_until_ended(name)
                raise TemporaryError(f"container {name} has ended before the hook")
        return result

    async def record_hooks(self, name: str, done: int) -> None:
        with runtime_errors(name):
            await run_sync(store_hooks, self._stack_home.container(name), done)
