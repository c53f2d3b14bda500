"""Requests that change how containers run, but not what they are made from."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from orchestra.control.failures import report_failures
from orchestra.engine.driver import Keeps, Pauses
from orchestra.errors import DriverError, UserError
from orchestra.linux.process import parse_signal
from orchestra.model.container import Endpoint
from orchestra.model.names import NetworkName
from orchestra.model.observed import Exited, Running
from orchestra.model.result import (
    ConnectResult,
    DisconnectResult,
    Exit,
    HaltResult,
    KillResult,
    PauseResult,
    RemoveResult,
    StartResult,
    StopResult,
    WaitResult,
)
from orchestra.plan.action import StartContainer, StopContainer
from orchestra.plan.desire import after_restart, apart, leave, restart, start, stop, without_containers
from orchestra.plan.done import Standing, judge_removal, judge_stop
from orchestra.plan.removal import orphans
from orchestra.plan.selection import to_restart, to_start, with_containers
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from orchestra.control.commands import Commands
    from orchestra.engine.driver import Driver
    from orchestra.engine.loop import Engine
    from orchestra.model.desired import Desired
    from orchestra.model.names import ServiceName
    from orchestra.model.observed import Container, Observed
    from orchestra.model.request import (
        ConnectRequest,
        DisconnectRequest,
        HaltRequest,
        KillRequest,
        PauseRequest,
        RemoveRequest,
        RestartRequest,
        StartRequest,
        StopRequest,
        WaitRequest,
    )
    from orchestra.plan.plan import Plan
    from orchestra.plan.verdict import Failed

KILL = 9
"""SIGKILL, signal(7)."""


class LifeCycle:
    """Each method takes one of ``orchestra.model.request`` and returns its result; times are Unix seconds."""

    def __init__(self, commands: Commands, engine: Engine, driver: Driver, clock: Callable[[], float]) -> None:
        self._commands = commands
        self._engine = engine
        self._driver = driver
        self._clock = clock

    async def start(self, request: StartRequest) -> StartResult:
        """Raises UserError if there is no container to start."""
        self._commands.need_to_know()
        services = to_start(self._commands.wanted, request.services)
        alone = request.containers

        def started(current: Desired) -> Desired:
            return apart(current, start(current, _those(current, services), self._clock()), alone)

        await self._commands.want(started)
        return await self._come_up(services, wait=request.wait, timeout=request.wait_timeout)

    async def restart(self, request: RestartRequest) -> StartResult:
        self._commands.need_to_know()
        chosen = to_restart(self._commands.wanted, request.services, alone=request.alone)
        if not chosen:
            return StartResult()
        at, timeout = request.asked_at or self._clock(), request.timeout
        alone = request.containers

        def restarted(current: Desired) -> Desired:
            return apart(current, restart(current, _those(current, chosen), timeout, at), alone)

        await self._commands.want(restarted)
        result = await self._come_up(chosen)
        await self._commands.want(lambda current: after_restart(current, at))
        return result

    async def stop(self, request: StopRequest) -> StopResult:
        """Raises UserError if another command starts some of the containers again before all have exited."""
        asked = self._existing(request.services)
        chosen, alone = frozenset(request.services), frozenset(request.containers)

        def stopped(current: Desired) -> Desired:
            return apart(current, stop(current, _those(current, asked), request.timeout, self._clock()), alone)

        await self._commands.want(stopped)
        wanted_again: frozenset[ServiceName] = frozenset()

        def is_decided(desired: Desired, observed: Observed, plan: Plan) -> bool:
            nonlocal wanted_again
            specs = (spec for spec in desired.of_services if spec.service in asked and _selected(spec.name, alone))
            wanted_again = frozenset(spec.service for spec in specs if not desired.wish_of(spec).rests)
            stops = judge_stop(observed, plan, chosen, alone).starting or self._is_stopping(asked)
            return bool(wanted_again) or not stops

        await self._engine.wait(is_decided)
        if wanted_again:
            names = ", ".join(sorted(wanted_again))
            raise UserError(f"another command has started {names} in the meantime")
        failures = judge_stop(self._engine.observed, self._engine.plan, chosen, alone).failures
        seen = [each for each in self._engine.observed.containers.values() if _selected(each.name, alone)]
        resting = (each.name for each in seen if each.service in asked and not each.one_off and _rests(each))
        return StopResult(report_failures(failures, self._engine.desired), tuple(sorted(resting)))

    async def halt(self, _request: HaltRequest) -> HaltResult:
        """End every run, those of commands too. What is desired stays: the next supervisor carries on with it.

        Another command makes this one carry on as well.
        """
        asked, at = self._existing(()), self._clock()
        self._commands.halt(lambda current: stop(current, asked, None, at))
        await self._engine.wait(
            lambda _desired, observed, plan: not (judge_stop(observed, plan).starting or self._is_stopping(asked))
        )
        async with anyio.create_task_group() as tasks:
            for container in self._still_running():
                tasks.start_soon(self._stop_at_last, container)
        await self._engine.look_afresh()
        if isinstance(self._driver, Keeps):
            await self._driver.keep()
        return HaltResult(tuple(container.name for container in self._still_running()))

    def _still_running(self) -> list[Container]:
        return [each for each in self._engine.observed.containers.values() if isinstance(each.status, Running)]

    async def _stop_at_last(self, container: Container) -> None:
        with suppress(DriverError):  # the result names those that run on
            await self._driver.stop(container.name, signal="", timeout=container.stop_grace_period)

    async def kill(self, request: KillRequest) -> KillResult:
        """Send a signal. As in Docker, SIGKILL and a container's stop signal set its restart policy aside."""
        chosen, alone = self._existing(request.services), request.containers
        await self._engine.wait(_always)
        running = self._running(chosen, alone)
        for_good = {each.service for each in running if request.signal in (KILL, _stop_signal(each))}

        def without_another_run(current: Desired) -> Desired:
            asked = replace(current.request, remove_orphans=current.request.remove_orphans or request.remove_orphans)
            left = apart(current, leave(current, _those(current, for_good), self._clock()), alone)
            return replace(left, request=asked)

        if for_good or request.remove_orphans:
            await self._commands.want(without_another_run)
            await self._engine.wait(_always)
        killed = self._running(chosen, alone)
        for container in killed:
            await self._driver.kill(container.name, request.signal)
        if request.remove_orphans:
            await self._wait_until_removed(orphans(self._engine.desired, self._engine.observed))
        return KillResult(tuple(container.name for container in killed))

    async def pause(self, request: PauseRequest) -> PauseResult:
        """Raises UserError if the driver cannot pause containers."""
        chosen = self._existing(request.services)
        driver = self._driver
        if not isinstance(driver, Pauses):
            raise UserError("this driver cannot pause containers")
        await self._engine.wait(_always)
        running = self._running(chosen, request.containers)
        changed = [each.name for each in running if _is_paused(each) is not request.paused]
        for name in changed:
            await (driver.pause(name) if request.paused else driver.unpause(name))
        await self._engine.look_afresh()
        return PauseResult(tuple(changed))

    async def connect(self, request: ConnectRequest) -> ConnectResult:
        """Raises UserError if the container is gone."""
        await self._need(request.container)
        endpoint = Endpoint(
            NetworkName(request.network),
            aliases=request.aliases,
            ipv4_address=request.ipv4_address,
            link_local_addresses=request.link_local_addresses,
            gateway_priority=request.gateway_priority,
            ipv6_address=request.ipv6_address,
            interface_name=request.interface_name,
            settings=request.settings,
        )
        await self._driver.connect(request.container, endpoint, by_hand=True)
        await self._engine.look_afresh()
        return ConnectResult()

    async def disconnect(self, request: DisconnectRequest) -> DisconnectResult:
        """Raises UserError if the container is gone."""
        await self._need(request.container)
        await self._driver.disconnect(request.container, request.network, by_hand=True)
        await self._engine.look_afresh()
        return DisconnectResult()

    async def _need(self, container: str) -> None:
        self._commands.need_to_know()
        await self._engine.wait(_always)
        if container not in self._engine.observed.containers:
            raise UserError(f"no such container: {container}")

    async def remove(self, request: RemoveRequest) -> RemoveResult:
        """Raises UserError if one of the containers is running, or about to run."""
        self._commands.need_to_know()
        await self._engine.wait(_always)
        there = [each for name, each in self._engine.observed.containers.items() if name in request.containers]
        if runs := [each.name for each in there if isinstance(each.status, Running)]:
            raise UserError(f"container {runs[0]} is running", hint="stop it first, or use --stop")
        names = frozenset(each.name for each in there if each.service in self._commands.wanted.services)
        services = frozenset(each.service for each in there)

        def fewer(current: Desired) -> Desired:
            less = without_containers(current, names, services)
            return replace(less, request=replace(current.request, remove_anonymous=request.remove_volumes))

        await self._commands.want(fewer)

        failures = await self._wait_until_removed(names)
        there_still = self._engine.observed.containers
        removed = tuple(sorted(name for name in request.containers if name not in there_still))
        return RemoveResult(removed, report_failures(failures, self._engine.desired))

    async def wait(self, request: WaitRequest) -> WaitResult:
        """Wait for the current runs to end: a run has ended even if the restart policy starts another one."""
        chosen = self._existing(request.services)
        await self._engine.wait(_always)
        awaited = {each.name: each for each in self._running(chosen)}
        ended: dict[str, Exit] = {}

        def are_over(_desired: Desired, observed: Observed, _plan: Plan) -> bool:
            for name, container in awaited.items():
                if name not in ended and not _is_in_same_run(container, observed.containers.get(name)):
                    ended[name] = _exit(container, observed.containers.get(name))
            return len(ended) == len(awaited) or (request.first and bool(ended))

        await self._engine.wait(are_over)
        return WaitResult(tuple(ended.values()))

    async def _wait_until_removed(self, names: Collection[str]) -> tuple[Failed, ...]:
        standing = Standing()

        def is_decided(desired: Desired, observed: Observed, plan: Plan) -> bool:
            nonlocal standing
            standing = judge_removal(desired, observed, plan, names)
            return not standing.starting

        await self._engine.wait(is_decided)
        return standing.failures

    async def _come_up(
        self, services: Collection[str], *, wait: bool = False, timeout: float | None = None
    ) -> StartResult:
        waited = await self._commands.wait_until_up(services, wait=wait, timeout=timeout)
        desired = self._engine.desired
        return StartResult(
            containers=self._commands.containers(desired, services),
            failures=report_failures(waited.failures, desired),
            timed_out=waited.timed_out,
            unproven=waited.unproven,
        )

    def _is_stopping(self, services: Collection[str]) -> bool:
        """Whether a stop is under way: a container may have exited, but what its hooks have written is not told yet.

        Or a start that was under way before: the container may run again once that has ended.
        """
        actions = self._engine.in_flight(begun=True).values()
        names = (action.name for action in actions if isinstance(action, (StartContainer, StopContainer)))
        seen = self._engine.observed.containers
        return any(name in seen and seen[name].service in services for name in names)

    def _existing(self, services: Collection[str]) -> frozenset[ServiceName]:
        """Those of the named services, or of all, that should have containers."""
        self._commands.need_to_know()
        return frozenset(with_containers(self._commands.wanted, services))

    def _running(self, services: Collection[str], names: Collection[str] = ()) -> list[Container]:
        containers = sorted(self._engine.observed.containers.items())
        running = (each for _, each in containers if isinstance(each.status, Running) and not each.one_off)
        return [each for each in running if each.service in services and _selected(each.name, names)]


def _always(_desired: Desired, _observed: Observed, _plan: Plan) -> bool:
    return True


def _selected(name: str, names: Collection[str]) -> bool:
    """Whether it is one of these; without names, all are."""
    return not names or name in names


def _rests(container: Container) -> bool:
    return isinstance(container.status, Exited)


def _is_paused(container: Container) -> bool:
    return isinstance(container.status, Running) and container.status.paused


def _those(current: Desired, services: Collection[str]) -> list[ServiceName]:
    """Those of the services that should still have containers when it is the request's turn: none of none."""
    return with_containers(current, services) if services else []


def _stop_signal(container: Container) -> int | None:
    """Return None for an invalid signal: ``stop`` reports what is wrong with it."""
    try:
        return parse_signal(container.stop_signal or "SIGTERM")
    except ValueError:
        return None


def _is_in_same_run(before: Container, now: Container | None) -> bool:
    if now is None or not isinstance(now.status, Running) or not isinstance(before.status, Running):
        return False
    return now.id == before.id and now.status.started_at == before.status.started_at


def _exit(before: Container, now: Container | None) -> Exit:
    """How the run ended, if that is still known."""
    seen = now is not None and now.id == before.id and isinstance(now.status, Exited)
    code = now.status.exit_code if seen and now is not None and isinstance(now.status, Exited) else None
    return Exit(before.name, before.service, code, before.id)
