"""Requests about the containers of one-off commands."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestra.control.failures import report_failures
from orchestra.errors import UserError
from orchestra.model.observed import Exited
from orchestra.model.resource import ResourceId
from orchestra.model.result import CancelResult, ConcludeResult, RunResult
from orchestra.plan.done import Standing, judge_run
from orchestra.plan.one_offs import after_runs, begin_run, name_is_taken, without_run
from orchestra.plan.removal import orphans
from orchestra.plan.temporary import without_ended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orchestra.control.commands import Commands
    from orchestra.engine.driver import Driver
    from orchestra.engine.loop import Engine
    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Observed
    from orchestra.model.request import CancelRequest, ConcludeRequest, RunRequest
    from orchestra.plan.plan import Plan


class OneOffs:
    """Each method but ``keep_books`` takes one of ``orchestra.model.request`` and returns its result."""

    def __init__(self, commands: Commands, engine: Engine, driver: Driver, clock: Callable[[], float]) -> None:
        self._commands = commands
        self._engine = engine
        self._driver = driver
        self._clock = clock

    async def run(self, request: RunRequest, new: Desired) -> RunResult:
        """Raises UserError when the stack is taken down before the container has started."""
        self._commands.need_to_know()
        if request.environment is not None:
            self._driver.take_environment(request.environment)
        at, name = self._clock(), request.container
        asked_at = request.asked_at or at
        ids = [spec.one_off.id for spec in new.one_offs if spec.one_off is not None]
        await self._engine.wait(_always)

        def more(current: Desired) -> Desired:
            if current.container(name) is None and name in self._engine.observed.containers:
                raise name_is_taken(name)
            return begin_run(current, new, name, request.changes, at, asked_at=asked_at)

        await self._commands.want(more)
        standing, seen = Standing(starting=True), ""

        def is_decided(desired: Desired, observed: Observed, plan: Plan) -> bool:
            nonlocal standing, seen
            standing = judge_run(desired, observed, plan, name)
            seen = observed.containers[name].id if name in observed.containers else seen
            return not standing.starting

        await self._engine.wait(is_decided)
        desired, observed = self._engine.desired, self._engine.observed
        if standing.failures:
            failure = observed.failures.get(standing.failures[0].resource)
            number = failure.not_executable if failure is not None and failure.resource.name == name else 0
            failures = report_failures(standing.failures, desired)
            await self._give_up(name)
            return RunResult("", orphans(desired, observed), failures, number)
        if desired.container(name) is None and ids[0] not in desired.finished:
            raise UserError("another command has taken the stack down in the meantime")
        return RunResult(seen, orphans(desired, observed))

    async def conclude(self, request: ConcludeRequest) -> ConcludeResult:
        exit_code: int | None = None

        def is_over(desired: Desired, observed: Observed, plan: Plan) -> bool:
            nonlocal exit_code
            container, spec = observed.containers.get(request.container), desired.container(request.container)
            if container is None:
                return True
            if not isinstance(container.status, Exited):
                return False
            exit_code = container.status.exit_code
            leaves = spec is None or (spec.one_off is not None and spec.one_off.remove_when_ended)
            return not leaves or ResourceId.container(container.name) in plan.hopeless

        await self._engine.wait(is_over)
        return ConcludeResult(exit_code)

    async def cancel(self, request: CancelRequest) -> CancelResult:
        """Returns when nothing is left of it, or it cannot be removed."""
        return CancelResult(await self._give_up(request.container))

    async def _give_up(self, name: str) -> bool:
        """Whether it had not been started."""
        cancelled = False

        def without(current: Desired) -> Desired:
            nonlocal cancelled
            current = after_runs(current, self._engine.observed)
            less = without_run(current, name)
            cancelled = less is not current
            return less

        await self._commands.want(without)
        if cancelled:
            await self._engine.wait(
                lambda _desired, observed, plan: (
                    name not in observed.containers or any(each.name == name for each in plan.hopeless)
                )
            )
        return cancelled

    async def keep_books(self) -> None:
        """Write down which commands have been started, and forget those that are gone, and containers that go at
        their end: until cancelled.
        """

        def settled(desired: Desired, observed: Observed) -> Desired:
            return without_ended(after_runs(desired, observed), observed)

        lasting: Desired | None = None  # the last one of which nothing can be told: asked after each plan

        def is_news(desired: Desired, observed: Observed, _plan: Plan) -> bool:
            nonlocal lasting
            if desired is lasting:
                return False
            if all(spec.one_off is None and not spec.remove_when_ended for spec in desired.containers):
                lasting = desired
            return settled(desired, observed) is not desired

        while True:
            await self._engine.wait(is_news)
            before = self._commands.wanted.one_offs
            await self._commands.want(lambda current: settled(current, self._engine.observed), unasked=True)
            for path in _callers(before) - _callers(self._commands.wanted.one_offs):
                with suppress(FileNotFoundError):
                    os.unlink(path)  # of a client that was killed


def _callers(one_offs: Iterable[ContainerSpec]) -> set[str]:
    return {spec.one_off.caller for spec in one_offs if spec.one_off is not None and spec.one_off.caller}


def _always(_desired: Desired, _observed: Observed, _plan: Plan) -> bool:
    return True
