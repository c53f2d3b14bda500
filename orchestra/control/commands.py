"""The requests to a supervisor: each one changes the desired state, then waits until the world follows.

Nothing here depends on the client: an accepted request is completed whether or not the client still listens.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from orchestra.control.desired_file import store_desired
from orchestra.control.failures import report_failures
from orchestra.control.follower import Follower
from orchestra.control.revisions import Revisions
from orchestra.engine.foresight import with_foreseen_failures
from orchestra.engine.outcome import standing_of_up, wait_until_down, wait_until_up
from orchestra.engine.standing import container_state
from orchestra.errors import UserError
from orchestra.model.edit import Edit
from orchestra.model.event import AskedEvent
from orchestra.model.names import ServiceName
from orchestra.model.observation import ForeseeResult, ObserveResult
from orchestra.model.observed import Exited
from orchestra.model.request import Until
from orchestra.model.resource import ResourceId
from orchestra.model.result import (
    AttendResult,
    ContainerState,
    DownResult,
    EditResult,
    EventsResult,
    Exit,
    PingResult,
    SettleResult,
    UpResult,
)
from orchestra.model.revision import Author
from orchestra.plan.dependency import failed_options
from orchestra.plan.desire import desire, with_wishes_of
from orchestra.plan.done import is_down
from orchestra.plan.earlier import go_back, with_earlier
from orchestra.plan.going_down import asked_by, go_down
from orchestra.plan.moved_ports import moved_ports
from orchestra.plan.removal import orphans
from orchestra.plan.replace import replacement_reason
from orchestra.plan.restart import next_run
from orchestra.plan.revision import compare
from orchestra.plan.selection import check_lenders, with_dependents
from orchestra.plan.situation import Situation
from orchestra.plan.volumes import changed_volumes
from orchestra.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from orchestra.engine.driver import Driver
    from orchestra.engine.loop import Engine
    from orchestra.errors import FatalError
    from orchestra.home import StackHome
    from orchestra.model.desired import Desired
    from orchestra.model.edit import Follow
    from orchestra.model.observed import Container, Observed
    from orchestra.model.request import (
        AttendRequest,
        Changes,
        DownRequest,
        EditRequest,
        EventsRequest,
        ForeseeRequest,
        ObserveRequest,
        PingRequest,
        SettleRequest,
        UpRequest,
    )
    from orchestra.plan.plan import Plan
    from orchestra.plan.rolling import FailedUpdate
    from orchestra.plan.verdict import Failed


class Waited(Record):
    """How a wait ended. unproven: the containers it was still waiting for when time ran out."""

    failures: tuple[Failed, ...]
    timed_out: bool = False
    unproven: tuple[str, ...] = ()


class Commands:
    """Each method takes one of ``orchestra.model.request`` and returns its result; times are Unix seconds.

    ``damage``: what is wrong with the file that holds the desired state from before this request. Until an ``up`` or
    ``down`` for the whole stack, that state is unknown, and every other request is refused.
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
        self._revisions = Revisions(stack_home)
        self.follower = Follower(stack_home, engine.announce, clock)
        self._halted: Callable[[Desired], Desired] | None = None
        self._ups = 0  # under way

    @property
    def wanted(self) -> Desired:
        """The latest desired state; the engine may not have received it yet."""
        return self._wanted

    def need_to_know(self, *, unless: bool = False) -> tuple[str, ...]:
        """Return the damage for the result. Raises FatalError if there is damage, ``unless`` the request allows it."""
        if self._damage is None:
            return ()
        if not unless:
            raise self._damage
        return (self._damage.message,)

    async def up(self, request: UpRequest, new: Desired) -> UpResult:
        """Raises UserError if a ``down`` comes in between, or has come since the ``up`` was requested, and if it would
        do anything else than was reviewed, or is an edit of files that are not followed any more.
        """
        self._ups += 1
        try:
            return await self._up(request, new)
        finally:
            self._ups -= 1

    async def _up(self, request: UpRequest, new: Desired) -> UpResult:
        changes = request.changes
        if request.edit and request.follow is not None:
            changes = self._changes_of_edit(changes, request.follow, new)
        damage = self.need_to_know(unless=not changes.services)
        services = frozenset(changes.services)
        if request.environment is not None:
            self._driver.take_environment(request.environment)
        at = self._clock()
        asked_at = request.asked_at or at
        if changes.alone:
            await self._engine.wait(lambda _desired, _observed, _plan: True)
            check_lenders(new, self._engine.observed)
        observed = self._engine.observed

        def more(current: Desired) -> Desired:
            if current.is_down and current.request.at > asked_at:
                return current
            if any(failing.at > asked_at for failing in current.failing.values()):
                return current  # a supervisor that was killed has carried it out, and that has failed
            asked = desire(current, new, changes, at, asked_at=asked_at)
            if current.request.at > asked_at and not compare(current, asked):
                asked = desire(current, new, changes, current.request.at, asked_at=asked_at)  # it goes on
            return with_earlier(with_wishes_of(current, asked) if request.edit else asked, current, observed)

        async def check() -> None:
            if request.edit and request.follow is not None:
                self.follower.check(request.follow)
            if request.reviewed is not None:
                await self._check_reviewed(request.reviewed, changes, new, asked_at)

        await self.want(more, request.author, check)
        self._engine.announce(AskedEvent(asked_at, request.author, request.steps))
        unfollowed = await self._follow(request, asked_at)
        waited = await self.wait_until_up(services, wait=request.wait, timeout=request.wait_timeout)
        desired = self._engine.desired
        if go_back(desired, self._engine.observed) is not desired:
            await self.want(lambda current: go_back(current, self._engine.observed))
            if not waited.timed_out:
                # Start containers again that were stopped along with one that went back to its earlier definition.
                with anyio.move_on_after(request.wait_timeout):
                    await wait_until_up(self._engine, services=services)
        if desired.is_down and new.containers:
            raise UserError("another command has taken the stack down in the meantime")
        await self._note_images(desired, request.author)
        return UpResult(
            containers=self.containers(desired, services),
            orphans=orphans(desired, self._engine.observed),
            failures=report_failures(waited.failures, desired),
            timed_out=waited.timed_out,
            unproven=waited.unproven,
            damage=damage,
            moved=moved_ports(desired.containers, self._engine.observed.containers),
            options=failed_options(Situation(desired, self._engine.observed, {}, at)),
            kept=changed_volumes(desired, self._engine.observed),
            unfollowed=unfollowed,
        )

    def _changes_of_edit(self, changes: Changes, follow: Follow, new: Desired) -> Changes:
        """A service that was taken out of the files is to go."""
        self.follower.check(follow)
        gone = set(self._wanted.services).difference(new.services)
        still_going = self._wanted.request.remove_orphans
        return replace(changes, remove_orphans=True) if gone or still_going else changes

    async def _follow(self, request: UpRequest, asked_at: float) -> bool:
        """Whether the files were followed until now, and are not any more."""
        if request.follow is None:
            return not request.beside and await self.follower.end()
        if request.edit:
            await self.follower.note(request.follow, Edit(asked_at))
        else:
            await self.follower.begin(request.follow, request.changes)
        return False

    async def edit(self, request: EditRequest) -> EditResult:
        """Raises UserError if the files are not followed any more."""
        await self.follower.note(request.follow, request.edit)
        return EditResult()

    async def down(self, request: DownRequest) -> DownResult:
        """Raises UserError for a service that is not declared, and if an ``up`` comes in between."""
        selected = request.selected
        damage = self.need_to_know(unless=not selected)
        declared = self._wanted.services if request.declared is None else tuple(map(ServiceName, request.declared))
        if unknown := [name for name in selected if name not in declared]:
            raise UserError(f"no such service: {unknown[0]}", hint=f"services are {', '.join(declared)}")
        gone = with_dependents(self._wanted, selected)

        def less(current: Desired) -> Desired:
            return go_down(current, declared, gone, asked_by(request, self._clock()))

        await self.want(less)
        down = self._wanted.is_down
        if down:
            await self.follower.end()
        failures = await (self._unless_wanted_again() if down else wait_until_down(self._engine, gone))
        desired = self._engine.desired
        return DownResult(
            failures=report_failures((failure for failure in failures if not failure.in_use), desired),
            kept=tuple(failure.error for failure in failures if failure.in_use),
            orphans=orphans(desired, self._engine.observed),
            leaving=self.nothing_is_left(),
            damage=damage,
        )

    async def observe(self, _request: ObserveRequest) -> ObserveResult:
        self.need_to_know()
        desired = self._wanted
        return ObserveResult(await self._driver.observe(desired), desired, self._engine.observed.failures)

    async def foresee(self, request: ForeseeRequest, new: Desired) -> ForeseeResult:
        damage = self.need_to_know(unless=not request.changes.services)
        current = self._wanted
        desired, observed = await self._foresee(request.changes, new)
        return ForeseeResult(observed, desired, None if damage else current, damage)

    async def _foresee(self, changes: Changes, new: Desired) -> tuple[Desired, Observed]:
        desired = desire(self._wanted, new, changes, self._clock())
        observed = await self._driver.observe(desired)
        return desired, await with_foreseen_failures(self._driver, desired, observed, self._clock())

    async def _check_reviewed(self, reviewed: Sequence[str], changes: Changes, new: Desired, asked_at: float) -> None:
        """Raises UserError if something else would be done."""
        from orchestra.plan.preview import check_reviewed, preview

        desired, observed = await self._foresee(changes, new)
        if self._wanted.request.at >= asked_at and not compare(self._wanted, desired):
            return  # the supervisor that began with it was killed: the rest is what was reviewed
        check_reviewed(self._home.name, reviewed, preview(desired, observed, self._clock()))

    async def attend(self, request: AttendRequest) -> AttendResult:
        self.need_to_know()
        chosen = frozenset(request.services)
        until = {
            Until.ALL_EXITED: self._all_exited,
            Until.ANY_EXITED: self._any_exited,
            Until.ANY_FAILED: self._any_failed,
        }
        await self._engine.wait(partial(until[request.until], chosen))
        ended = self._ended(self._engine.desired, self._engine.observed, self._engine.plan, chosen)
        return AttendResult(tuple(Exit(c.name, c.service, status.exit_code) for c, status in ended))

    async def settle(self, request: SettleRequest) -> SettleResult:
        services = frozenset(request.services)
        waited = await self.wait_until_up(
            services, wait=request.wait, timeout=request.wait_timeout, since=request.since
        )
        return SettleResult(report_failures(waited.failures, self._engine.desired), waited.unproven)

    async def events(self, _request: EventsRequest) -> EventsResult:
        """Never returns: the server sends the events."""
        await anyio.sleep_forever()
        return EventsResult()

    async def ping(self, _request: PingRequest) -> PingResult:
        return PingResult(self._wanted.is_down and self.nothing_is_left())

    def nothing_is_left(self) -> bool:
        """Whether nothing is desired, and nothing exists that needs a supervisor."""
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

    async def want(
        self,
        change: Callable[[Desired], Desired],
        author: Author | None = None,
        check: Callable[[], Awaitable[None]] | None = None,
        *,
        unasked: bool = False,
    ) -> None:
        """Write each change to disk, one at a time, before the engine gets it. author: of a change for the history.

        check: raises what forbids the change. unasked: no command asks for it, so a stack that is halted stays so.
        """
        async with self._writing:
            if check is not None:
                await check()
            wanted = change(self._wanted)
            await anyio.to_thread.run_sync(self._write, wanted, author)
            self._wanted, self._damage = wanted, None
            if not unasked:
                self._halted = None
            self._engine.set_desired(self._halted(wanted) if self._halted else wanted)

    def halt(self, change: Callable[[Desired], Desired]) -> None:
        """Until the next command, have the engine see what is wanted with this change, which is not written down."""
        self._halted = change
        self._engine.set_desired(change(self._wanted))

    async def follow_refusals(self) -> None:
        """Write down what has gone back to its earlier definition when the ``up`` that would do so has ended with the
        supervisor that carried it out: until cancelled.
        """

        def has_gone_back(desired: Desired, observed: Observed, plan: Plan) -> bool:
            if self._ups or not desired.earlier or not plan.converged:
                return False
            return go_back(desired, observed) is not desired

        while True:
            await self._engine.wait(has_gone_back)
            await self.want(lambda current: go_back(current, self._engine.observed), unasked=True)

    async def end_updates(self, change: Callable[[Desired], Desired], failed: tuple[FailedUpdate, ...]) -> None:
        """See ``follow_updates``. What is rolled back is another revision."""
        names = " ".join(each.service for each in failed)
        await self.want(change, Author(command=f"update of {names}, which failed") if failed else None, unasked=True)

    def _write(self, wanted: Desired, author: Author | None) -> None:
        store_desired(self._home, wanted)
        if author is not None and not wanted.is_down:
            self._revisions.note(wanted, author, self._clock())

    async def _note_images(self, desired: Desired, author: Author) -> None:
        """Note the images that containers of this desired state were made from."""
        seen = self._engine.observed.containers
        images = {
            spec.image_key: seen[spec.name].image_digest
            for spec in desired.of_services
            if spec.name in seen and seen[spec.name].image_digest
        }
        if self._revisions.runs_with(images):
            return
        async with self._writing:
            await anyio.to_thread.run_sync(self._revisions.note_images, images, author, self._clock())

    async def wait_until_up(
        self, services: Collection[str], *, wait: bool, timeout: float | None, since: float = 0.0
    ) -> Waited:
        """Wait until these services, or all, are as they should be or cannot be; for at most ``timeout`` seconds."""
        failures: tuple[Failed, ...] = ()
        with anyio.move_on_after(timeout) as limit:
            failures = await wait_until_up(self._engine, wait=wait, services=services, since=since)
        if not limit.cancelled_caught:
            return Waited(failures)
        standing = standing_of_up(self._engine, wait=wait, services=services, since=since)
        blocked = {blocked.resource.name for blocked in self._engine.plan.blocked}
        chosen = [s.name for s in self._engine.desired.of_services if not services or s.service in services]
        unproven = tuple(name for name in chosen if name in blocked or name in standing.unproven)
        return Waited(standing.failures, timed_out=True, unproven=unproven)

    async def _unless_wanted_again(self) -> tuple[Failed, ...]:
        """Wait until the stack is down. Raises UserError if another command brings it up in the meantime."""
        failures: tuple[Failed, ...] = ()
        wanted_again = False

        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                nonlocal wanted_again
                await self._engine.wait(lambda desired, _observed, _plan: not desired.is_down)
                wanted_again = True
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            failures = await wait_until_down(self._engine)
            tasks.cancel_scope.cancel()
        if wanted_again:
            raise UserError("another command has brought the stack up in the meantime")
        return failures

    def containers(self, desired: Desired, services: Collection[str]) -> tuple[ContainerState, ...]:
        chosen = [spec.name for spec in desired.of_services if not services or spec.service in services]
        seen = self._engine.observed.containers
        return tuple(container_state(seen[name]) for name in chosen if name in seen)

    def _ended(
        self, desired: Desired, observed: Observed, plan: Plan, chosen: Collection[str]
    ) -> list[tuple[Container, Exited]]:
        """Containers of the stack that have exited for good, the earliest first, without those about to be replaced."""
        ended: list[tuple[Container, Exited]] = []
        stuck = {failure.resource for failure in plan.failed}
        situation = Situation(desired, observed, {}, 0.0)
        for spec in desired.of_services:
            container = observed.containers.get(spec.name)
            if container is None or (chosen and spec.service not in chosen):
                continue
            status = container.status
            if replacement_reason(situation, spec, container):
                continue
            if not isinstance(status, Exited):
                continue
            wish = desired.wish_of(spec)
            restarts = wish.restart and not wish.rests and status.started_at < wish.at
            stays = status.stopped or wish.rests or next_run(spec.restart, container, status) is None
            stays = stays and not restarts
            if stays or ResourceId.container(spec.name) in stuck:
                ended.append((container, status))
        return sorted(ended, key=lambda pair: pair[1].finished_at)

    def _all_exited(self, chosen: Collection[str], desired: Desired, observed: Observed, plan: Plan) -> bool:
        count = sum(not chosen or spec.service in chosen for spec in desired.of_services)
        return len(self._ended(desired, observed, plan, chosen)) == count

    def _any_exited(self, chosen: Collection[str], desired: Desired, observed: Observed, plan: Plan) -> bool:
        return bool(self._ended(desired, observed, plan, chosen)) or self._all_exited(chosen, desired, observed, plan)

    def _any_failed(self, chosen: Collection[str], desired: Desired, observed: Observed, plan: Plan) -> bool:
        failed = any(not status.succeeded for _, status in self._ended(desired, observed, plan, chosen))
        return failed or self._all_exited(chosen, desired, observed, plan)
