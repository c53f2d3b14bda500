"""What a supervisor can be asked: each request becomes a change of what is desired, and a wait for the world to follow.

Nothing here depends on the client: a request that has been accepted is seen through whether or not anybody listens.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from orchestra.control.desired_file import store_desired
from orchestra.control.environment import take_over
from orchestra.control.failures import describe_failures
from orchestra.control.wishes import read_wish
from orchestra.engine.foresight import with_foreseen_failures
from orchestra.errors import UserError
from orchestra.model.codec import decode, encode
from orchestra.model.desired import Desired, Request
from orchestra.model.names import ServiceName
from orchestra.model.observed import Created, Exited, HealthStatus, Running
from orchestra.model.resource import ResourceId
from orchestra.plan.done import is_down, judge_stop
from orchestra.plan.earlier import go_back, with_earlier
from orchestra.plan.removal import orphans
from orchestra.plan.replace import replacement_reason
from orchestra.plan.restart import next_run
from orchestra.plan.selection import with_dependents, without_services
from orchestra.plan.situation import Situation
from orchestra.plan.wish import desire

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from orchestra.control.wire import Message
    from orchestra.engine.driver import Driver
    from orchestra.engine.loop import Engine
    from orchestra.errors import FatalError
    from orchestra.home import StackHome
    from orchestra.model.observed import Container, Observed
    from orchestra.plan.plan import Plan
    from orchestra.plan.verdict import Failed


class Commands:
    """The requests, by ``op``. Each method takes the request and returns the result; times are Unix seconds.

    Optional keys are marked with ?. ``services``: an empty list is every service. ``damage``: what is wrong with the
    file that tells what was asked for before this request, as a list of at most one sentence. Until ``up`` or ``down``
    has been asked for the whole stack, that is not known, and every other request is refused.
    """

    def __init__(
        self,
        engine: Engine,
        driver: Driver,
        stack_home: StackHome,
        clock: Callable[[], float] = time.time,
        damage: FatalError | None = None,
    ) -> None:
        self._engine = engine
        self._driver = driver
        self._home = stack_home
        self._clock = clock
        self._wanted = engine.desired
        self._writing = anyio.Lock()
        self._damage = damage

    def _need_to_know(self, *, unless: bool = False) -> list[str]:
        """The damage for the result. Raises FatalError when it is there, ``unless`` the request can do without."""
        if self._damage is None:
            return []
        if not unless:
            raise self._damage
        return [self._damage.message]

    async def up(self, request: Message) -> Message:
        """{"desired", "environment"?, "wait"?, "wait_timeout"?} and what ``supervisor.wishes`` reads.

        environment: see ``supervisor.environment``.
        Result: {"containers": [{"name", "service", "state", "health"}], "orphans": [names], "failures": [..],
        "timed_out": bool, "unproven": [containers that it waited for in vain], "damage"}. Nothing is taken back when
        something has failed: the next ``up`` carries on from there.
        """
        damage = self._need_to_know(unless=not request.get("services"))
        new = decode(Desired, request["desired"])
        wish = read_wish(request)
        services = wish.services
        if "environment" in request:
            take_over(request["environment"])
        at = self._clock()
        observed = self._engine.observed
        await self._want(lambda current: with_earlier(desire(current, new, wish, at), current, observed))
        wait = bool(request.get("wait"))
        failures: tuple[Failed, ...] = ()
        with anyio.move_on_after(request.get("wait_timeout")) as limit:
            failures = await self._engine.wait_until_up(wait=wait, services=services)
        unproven: tuple[str, ...] = ()
        if limit.cancelled_caught:
            standing = self._engine.judge_up(wait=wait, services=services)
            blocked = {blocked.resource.name for blocked in self._engine.plan.blocked}
            chosen = [s.name for s in self._engine.desired.containers if not services or s.service in services]
            unproven = tuple(name for name in chosen if name in blocked or name in standing.unproven)
            failures = standing.failures
        desired = self._engine.desired
        if go_back(desired, self._engine.observed) is not desired:
            await self._want(lambda current: go_back(current, self._engine.observed))
            if not limit.cancelled_caught:
                # What was stopped along with a container that has gone back is started again.
                with anyio.move_on_after(request.get("wait_timeout")):
                    await self._engine.wait_until_up(services=services)
        if desired.is_down and new.containers:
            raise UserError("another command has asked for the stack to go down meanwhile")
        return {
            "containers": self._containers(desired, services),
            "orphans": list(orphans(desired, self._engine.observed)),
            "failures": describe_failures(failures, desired),
            "timed_out": limit.cancelled_caught,
            "unproven": list(unproven),
            "damage": damage,
        }

    async def down(self, request: Message) -> Message:
        """{"services"?: all that the file declares, "selected"?: only these, and what depends on them,
        "remove_volumes"?, "remove_orphans"?, "stop_timeout"?}

        Result: {"failures": [..], "kept": [what another stack still uses, in words], "orphans": [names],
        "leaving": whether nothing is left and the supervisor ends, "damage"}.
        """
        selected = request.get("selected", ())
        damage = self._need_to_know(unless=not selected)
        declared = tuple(map(ServiceName, request.get("services", self._wanted.services)))
        if unknown := [name for name in selected if name not in declared]:
            raise UserError(f"no such service: {unknown[0]}", hint=f"services are {', '.join(declared)}")
        gone = with_dependents(self._wanted, selected)

        def less(current: Desired) -> Desired:
            volumes = bool(request.get("remove_volumes"))
            asked = Request(
                at=self._clock(),
                stop_timeout=request.get("stop_timeout"),
                remove_orphans=bool(request.get("remove_orphans")),
                remove_volumes=volumes and not selected,
                remove_anonymous=volumes,
            )
            current = replace(current, services=declared)
            if selected:
                return without_services(current, gone, asked)
            return replace(current, containers=(), networks=(), images=(), request=asked)

        await self._want(less)
        down = self._wanted.is_down
        failures = await (self._unless_wanted_again() if down else self._engine.wait_until_down(gone))
        desired = self._engine.desired
        return {
            "failures": describe_failures((failure for failure in failures if not failure.in_use), desired),
            "kept": [failure.error for failure in failures if failure.in_use],
            "orphans": list(orphans(desired, self._engine.observed)),
            "leaving": self.nothing_is_left(),
            "damage": damage,
        }

    async def stop(self, request: Message) -> Message:
        """{"services", "timeout"?}: stop containers and keep them. A second one with less time shortens the first.

        Result: {"failures": [..]}: what could not be stopped.
        """
        self._need_to_know()
        chosen = frozenset(request["services"])

        def stopped(current: Desired) -> Desired:
            services = {spec.service for spec in current.containers if not chosen or spec.service in chosen}
            asked = current.request
            timeout = request.get("timeout")
            return replace(
                current,
                request=replace(
                    asked,
                    stopped=tuple(sorted(services.union(asked.stopped))),
                    stop_timeout=asked.stop_timeout if timeout is None else float(timeout),
                ),
            )

        await self._want(stopped)
        await self._engine.wait(lambda _desired, observed, plan: not judge_stop(observed, plan, chosen).starting)
        failures = judge_stop(self._engine.observed, self._engine.plan, chosen).failures
        return {"failures": describe_failures(failures, self._engine.desired)}

    async def observe(self, request: Message) -> Message:
        """{"desired"?} and what ``supervisor.wishes`` reads: look at everything, as if ``up`` asked for this.

        Result: {"observed": Observed, "desired": what would be desired then, "current": what is desired now, "damage"};
        without "desired" in the request the second two are the same, and "current" is left out, as when it is unknown.
        """
        damage = self._need_to_know(unless="desired" in request and not request.get("services"))
        current = desired = self._wanted
        if "desired" in request:
            desired = desire(current, decode(Desired, request["desired"]), read_wish(request), self._clock())
        observed = await self._driver.observe(desired)
        if "desired" in request:
            observed = await with_foreseen_failures(self._driver, desired, observed, self._clock())
        result = {"observed": encode(observed), "desired": encode(desired), "damage": damage}
        return {**result, "current": encode(current)} if "desired" in request and not damage else result

    async def attend(self, request: Message) -> Message:
        """{"services", "until": "all-exited", "any-exited" or "any-failed"}: wait for containers to end for good.

        Result: {"exits": [{"container", "service", "exit_code"}]}: all that have ended by then, the earliest first.
        """
        self._need_to_know()
        chosen = frozenset(request["services"])
        until = {"all-exited": self._all_exited, "any-exited": self._any_exited, "any-failed": self._any_failed}
        await self._engine.wait(partial(until[request["until"]], chosen))
        ended = self._ended(self._engine.desired, self._engine.observed, self._engine.plan, chosen)
        return {"exits": [{"container": c.name, "service": c.service, "exit_code": s.exit_code} for c, s in ended]}

    async def settle(self, request: Message) -> Message:
        """{"services"}: wait until all that is wanted of them has been started, or cannot be.

        Result: {}.
        """
        await self._engine.wait_until_up(services=frozenset(request["services"]))
        return {}

    async def events(self, request: Message) -> Message:
        """{}: events until the client hangs up; the server sends them."""
        await anyio.sleep_forever()
        return {}

    async def ping(self, request: Message) -> Message:
        """{}: Result {"leaving": whether the supervisor ends as soon as nobody asks it anything}."""
        return {"leaving": self._wanted.is_down and self.nothing_is_left()}

    def nothing_is_left(self) -> bool:
        """Whether nothing is wanted and nothing is there that anybody would have to look after."""
        return self.is_over(self._engine.desired, self._engine.observed, self._engine.plan)

    def is_over(self, desired: Desired, observed: Observed, _plan: Plan) -> bool:
        return (
            self._damage is None
            and self._wanted.is_down
            and desired.is_down
            and not self._engine.is_making
            and not observed.containers
            and is_down(replace(desired, request=replace(desired.request, remove_volumes=False)), observed)
        )

    async def _want(self, change: Callable[[Desired], Desired]) -> None:
        """On disk before the engine is told, one change after the other."""
        async with self._writing:
            wanted = change(self._wanted)
            await anyio.to_thread.run_sync(store_desired, self._home, wanted)
            self._wanted, self._damage = wanted, None
            self._engine.set_desired(wanted)

    async def _unless_wanted_again(self) -> tuple[Failed, ...]:
        """Until the stack is down. Raises UserError when another command asks for it to be up meanwhile."""
        failures: tuple[Failed, ...] = ()
        wanted_again = False

        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                nonlocal wanted_again
                await self._engine.wait(lambda desired, _observed, _plan: not desired.is_down)
                wanted_again = True
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            failures = await self._engine.wait_until_down()
            tasks.cancel_scope.cancel()
        if wanted_again:
            raise UserError("another command has asked for the stack to be up meanwhile")
        return failures

    def _containers(self, desired: Desired, services: Collection[str]) -> list[Message]:
        rows: list[Message] = []
        for spec in desired.containers:
            container = self._engine.observed.containers.get(spec.name)
            if container is None or (services and spec.service not in services):
                continue
            health = HealthStatus.NONE
            match container.status:
                case Running(health=seen):
                    state, health = "running", seen.status
                case Exited():
                    state = "exited"
                case Created():
                    state = "created"
            rows.append({"name": spec.name, "service": spec.service, "state": state, "health": health.value})
        return rows

    def _ended(
        self, desired: Desired, observed: Observed, plan: Plan, chosen: Collection[str]
    ) -> list[tuple[Container, Exited]]:
        """Containers of the stack that have ended and stay so, the earliest first. Not those about to be replaced."""
        ended: list[tuple[Container, Exited]] = []
        stuck = {failure.resource for failure in plan.failed}
        situation = Situation(desired, observed, {}, 0.0)
        for spec in desired.containers:
            container = observed.containers.get(spec.name)
            if container is None or (chosen and spec.service not in chosen):
                continue
            status = container.status
            if replacement_reason(situation, spec, container):
                continue
            if not isinstance(status, Exited):
                continue
            stays = status.stopped or next_run(spec.restart, container, status) is None
            if stays or ResourceId.container(spec.name) in stuck:
                ended.append((container, status))
        return sorted(ended, key=lambda pair: pair[1].finished_at)

    def _all_exited(self, chosen: Collection[str], desired: Desired, observed: Observed, plan: Plan) -> bool:
        count = sum(not chosen or spec.service in chosen for spec in desired.containers)
        return len(self._ended(desired, observed, plan, chosen)) == count

    def _any_exited(self, chosen: Collection[str], desired: Desired, observed: Observed, plan: Plan) -> bool:
        return bool(self._ended(desired, observed, plan, chosen)) or self._all_exited(chosen, desired, observed, plan)

    def _any_failed(self, chosen: Collection[str], desired: Desired, observed: Observed, plan: Plan) -> bool:
        failed = any(not status.succeeded for _, status in self._ended(desired, observed, plan, chosen))
        return failed or self._all_exited(chosen, desired, observed, plan)
