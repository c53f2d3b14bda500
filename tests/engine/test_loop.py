"""The loop on the fake driver, on both event loops."""

from __future__ import annotations

from contextlib import ExitStack, asynccontextmanager
from itertools import pairwise
from math import inf

import anyio
import pytest
from trio.testing import MockClock

from orchestra.driver.fake.driver import FakeDriver
from orchestra.driver.fake.faults import Faults
from orchestra.driver.fake.program import Program, Run, one_shot
from orchestra.driver.fake.world import World
from orchestra.engine.loop import Engine
from orchestra.engine.outcome import wait_until_down, wait_until_up
from orchestra.engine.planner import Planner
from orchestra.errors import FatalError, TemporaryError
from orchestra.model.container import HealthcheckSpec
from orchestra.model.desired import Request
from orchestra.model.event import ActionEvent, ContainerEvent, ConvergedEvent, HealthEvent, Phase, PullEvent
from orchestra.model.health import HealthStatus
from orchestra.model.observed import Created, Exited, Running
from orchestra.model.resource import ResourceId
from orchestra.model.wish import Goal, Recreate
from orchestra.plan.earlier import with_earlier
from orchestra.record import replace
from tests.engine.conftest import punctual
from tests.plan.stacks import asked, going_down, service, stack, wished

pytestmark = pytest.mark.anyio


def clock() -> float:
    return 1_000_000.0 + anyio.current_time()


@asynccontextmanager
async def running(driver, desired):
    engine = Engine(driver, desired, clock=clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(engine.run)
        yield engine
        tasks.cancel_scope.cancel()


def world_of(desired, **programs):
    return World(desired.stack, clock, programs)


def happened(world, *what):
    return [(entry.what, entry.name) for entry in world.journal if entry.what in what]


async def test_a_stack_comes_up_in_order_and_goes_down_in_reverse():
    desired = stack(
        service("db", healthy=True, volumes=["data"]),
        service("migrate", "db:healthy"),
        service("web", "db:healthy migrate:completed", replicas=2),
        at=1.0,
    )
    world = world_of(desired, db=Program((Run(healthy_from=0.05),)), migrate=one_shot(0.05))
    async with running(FakeDriver(world), desired) as engine:
        assert await wait_until_up(engine) == ()
        started = [name for _, name in happened(world, "started")]
        assert started[:2] == ["s-db-1", "s-migrate-1"]
        assert sorted(started[2:]) == ["s-web-1", "s-web-2"]
        assert [name for _, name in happened(world, "healthy")] == ["s-db-1"]
        engine.set_desired(going_down(desired, at=clock()))
        assert await wait_until_down(engine) == ()
    assert [name for _, name in happened(world, "stopping")][-1] == "s-db-1"
    assert not world.observed.containers
    assert not world.observed.networks
    assert set(world.observed.volumes) == {"s_data"}


async def test_waiting_for_health_ends_when_every_container_is_healthy():
    desired = stack(service("web", healthy=True, replicas=3), at=1.0)
    world = world_of(desired, web=Program((Run(healthy_from=0.1),)))
    async with running(FakeDriver(world), desired) as engine:
        assert await wait_until_up(engine, wait=True) == ()
        statuses = [c.status.health.status for c in engine.observed.containers.values()]
    assert statuses == [HealthStatus.HEALTHY] * 3


async def test_a_second_up_does_nothing():
    desired = stack(service("db"), service("web", "db"), at=1.0)
    world = world_of(desired)
    async with running(FakeDriver(world), desired) as engine:
        await wait_until_up(engine)
        before = len(world.journal)
        engine.set_desired(asked(desired, at=clock()))
        await wait_until_up(engine)
        assert len(world.journal) == before


class Counting(FakeDriver):
    """under_way, most: containers that are being started."""

    under_way = most = 0

    async def start(self, name, **options):
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await super().start(name, **options)
        finally:
            self.under_way -= 1


@pytest.mark.parametrize(("limits", "most"), [((1,), 1), ((3, 2), 2), ((), 6)])
async def test_a_command_limits_how_many_actions_are_under_way(limits, most):
    desired = stack(service("web", replicas=6), at=1.0)
    driver = Counting(world_of(desired, web=Program(start_seconds=0.05)))
    async with running(driver, desired) as engine:
        with ExitStack() as commands:
            for limit in limits:
                commands.enter_context(engine.at_most(limit))
            assert await wait_until_up(engine) == ()
        assert driver.most == most
        engine.set_desired(asked(going_down(desired, at=clock()), at=clock()))
        await wait_until_down(engine)
        driver.most = 0
        engine.set_desired(asked(desired, at=clock()))
        assert await wait_until_up(engine) == ()
        assert driver.most == 6


async def test_an_engine_that_was_cancelled_midway_is_carried_on_by_the_next():
    desired = stack(service("db"), service("web", "db"), at=1.0)
    world = world_of(desired, db=Program(start_seconds=0.05))
    async with running(FakeDriver(world), desired) as engine:
        await engine.wait(lambda _desired, observed, _plan: "s-db-1" in observed.containers)
    assert happened(world, "started") == []
    async with running(FakeDriver(world), desired) as engine:
        assert await wait_until_up(engine) == ()
    assert happened(world, "started") == [("started", "s-db-1"), ("started", "s-web-1")]


@punctual
async def test_a_crashed_container_is_restarted_with_growing_pauses():
    desired = stack(service("web", restart="always"), at=1.0)
    crash = Run(exits_after=0.01, exit_code=1)
    world = world_of(desired, web=Program((crash, crash, Run())))
    async with running(FakeDriver(world), desired) as engine:
        await engine.wait(lambda _desired, observed, _plan: is_running(observed, "s-web-1", restarts=2))
    ends = [entry.at for entry in world.journal if entry.what == "exited"]
    starts = [entry.at for entry in world.journal if entry.what == "started"]
    assert starts[1] - ends[0] < 0.05
    assert starts[2] - ends[1] == pytest.approx(0.2, abs=0.05)


def is_running(observed, name, restarts=0):
    container = observed.containers.get(name)
    return container is not None and isinstance(container.status, Running) and container.restarts == restarts


async def test_a_temporary_error_is_tried_again_and_a_fatal_one_ends_the_up():
    desired = stack(service("web"), service("job", image="missing"), at=1.0)
    world = World("s", clock, available={"app": "sha256:app"})
    faults = Faults()
    faults.fail("create", "s-web-1", [TemporaryError("busy"), TemporaryError("busy")])
    async with running(FakeDriver(world, faults), desired) as engine:
        failures = await wait_until_up(engine)
        assert [str(failure) for failure in failures] == ["image/missing: no such image: missing"]
        assert failures[0].hint == "check the reference"
        await engine.wait(lambda _desired, observed, _plan: is_running(observed, "s-web-1"))
        assert ResourceId.container("s-web-1") not in engine.observed.failures


async def test_a_failed_dependency_ends_the_up_in_the_words_of_docker_compose():
    desired = stack(service("db", healthy=True), service("web", "db:healthy"), at=1.0)
    world = world_of(desired, db=one_shot(0.02, 3))
    world.programs["db"] = Program((Run(exits_after=0.05, exit_code=3, healthy_from=None),))
    async with running(FakeDriver(world), desired) as engine:
        failures = await wait_until_up(engine)
    assert [failure.error for failure in failures] == ["dependency failed to start: container s-db-1 exited (3)"]


async def test_a_hanging_call_delays_its_own_resource_only():
    desired = stack(service("slow"), service("quick"), at=1.0)
    world = world_of(desired, slow=Program(create_seconds=1e9))
    async with running(FakeDriver(world), desired) as engine:
        await engine.wait(lambda _desired, observed, _plan: is_running(observed, "s-quick-1"))
        assert "s-slow-1" not in engine.observed.containers
        engine.set_desired(going_down(desired, at=clock()))
        assert await wait_until_down(engine) == ()


async def test_down_in_the_middle_of_up_cancels_what_is_no_longer_wanted():
    desired = stack(service("web"), at=1.0)
    world = world_of(desired)
    world.pull_seconds["app"] = 1e9
    async with running(FakeDriver(world), desired) as engine:
        await engine.wait(lambda _desired, observed, _plan: "s_default" in observed.networks)
        events = engine.subscribe()
        engine.set_desired(going_down(desired, at=clock()))
        assert await wait_until_down(engine) == ()
        with events:
            async for event in events:
                if isinstance(event, ActionEvent) and event.resource == ResourceId.image("app"):
                    break
        assert (event.phase, event.error) == (Phase.CANCELLED, "")
    assert world.observed.containers == {}


async def test_down_waits_for_what_is_being_made_and_removes_it_too():
    class Gated(FakeDriver):
        """A network takes until the gate is open; as in a thread, cancelling does not end it."""

        def __init__(self, world) -> None:
            super().__init__(world)
            self.began, self.gate = anyio.Event(), anyio.Event()

        async def create_network(self, spec):
            self.began.set()
            with anyio.CancelScope(shield=True):
                await self.gate.wait()
            await super().create_network(spec)

    desired = stack(service("web"), at=1.0)
    world = world_of(desired)
    driver = Gated(world)
    async with running(driver, desired) as engine:
        await driver.began.wait()
        down = going_down(desired, at=clock())
        engine.set_desired(down)
        await engine.wait(lambda desired, _observed, _plan: desired is down)
        assert engine.is_making
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_until_down, engine)
            await anyio.wait_all_tasks_blocked()
            driver.gate.set()
        assert not engine.is_making
        assert not engine.observed.networks
    assert not world.observed.networks


async def test_an_impatient_stop_replaces_a_patient_one():
    desired = stack(service("web", stop_grace_period=1e9), at=1.0)
    world = world_of(desired, web=Program((Run(stops_after=None),)))
    async with running(FakeDriver(world), desired) as engine:
        await wait_until_up(engine)
        engine.set_desired(wished(asked(desired, clock()), "web", goal=Goal.STOP))
        await engine.wait(lambda *_: ("stopping", "s-web-1") in happened(world, "stopping"))
        engine.set_desired(wished(asked(desired, clock(), stop_timeout=0.0), "web", goal=Goal.STOP))
        await wait_until_up(engine)
        status = engine.observed.containers["s-web-1"].status
    assert isinstance(status, Exited)
    assert status.exit_code == 137


async def test_events_tell_what_happens():
    desired = stack(service("web", healthy=True), at=1.0)
    world = world_of(desired, web=Program((Run(exits_after=0.3, exit_code=7),)))
    engine = Engine(FakeDriver(world), desired, clock=clock)
    seen = []
    async with anyio.create_task_group() as tasks:
        with engine.subscribe() as events:
            tasks.start_soon(engine.run)
            async for event in events:
                seen.append(event)
                if isinstance(event, ContainerEvent) and event.change == "exited":
                    break
        tasks.cancel_scope.cancel()
    changes = [event.change for event in seen if isinstance(event, ContainerEvent)]
    assert changes == ["created", "started", "exited"]
    assert seen[-1].exit_code == 7
    done = [(e.verb, e.resource) for e in seen if isinstance(e, ActionEvent) and e.phase is Phase.DONE]
    assert sorted(done[:2]) == [("create", ResourceId.network("s_default")), ("pull", ResourceId.image("app"))]
    assert done[2:] == [("create", ResourceId.container("s-web-1")), ("start", ResourceId.container("s-web-1"))]
    health = [event.health.status for event in seen if isinstance(event, HealthEvent)]
    assert health == [HealthStatus.STARTING, HealthStatus.HEALTHY]
    assert any(isinstance(event, ConvergedEvent) for event in seen)


@punctual
async def test_progress_of_a_pull_is_reported_while_it_lasts():
    class Measured(FakeDriver):
        fetched = 0

        async def measure(self, image):
            self.fetched += 1
            if self.fetched == 4:
                raise FatalError("who knows")
            return (min(self.fetched, 2), 5) if self.fetched > 1 else None

    desired = stack(service("web"), at=1.0)
    world = world_of(desired)
    world.pull_seconds["app"] = 2.0
    driver = Measured(world)
    seen = []
    engine = Engine(driver, desired, clock=clock)
    async with anyio.create_task_group() as tasks:
        with engine.subscribe() as events:
            tasks.start_soon(engine.run)
            async for event in events:
                seen.append(event)
                if isinstance(event, ActionEvent) and (event.verb, event.phase) == ("pull", Phase.DONE):
                    break
        tasks.cancel_scope.cancel()
    told = [(event.resource, event.fetched, event.total) for event in seen if isinstance(event, PullEvent)]
    assert told == [(ResourceId.image("app"), 2, 5)]
    assert driver.fetched == 4


async def test_the_stream_of_events_ends_with_the_engine():
    desired = stack(service("web"), at=1.0)
    async with running(FakeDriver(world_of(desired)), desired) as engine:
        events = engine.subscribe()
        await wait_until_up(engine)
    with events, anyio.fail_after(5):
        assert [event async for event in events]


async def test_a_refused_edit_stops_nothing():
    old, new = stack(service("web"), at=1.0), stack(service("web", config_hash="web v2"), at=2_000_000.0)
    world, faults = world_of(old), Faults()
    faults.fail("check", "s-web-1", [FatalError("no such user")])
    async with running(FakeDriver(world, faults), old) as engine:
        assert await wait_until_up(engine) == ()
        started = engine.observed.containers["s-web-1"].status
        engine.set_desired(with_earlier(replace(new, request=Request(at=clock())), old, engine.observed))
        [failure] = await wait_until_up(engine)
        assert failure.error == "no such user"
        assert engine.observed.containers["s-web-1"].status == started
        assert not happened(world, "stopping")


@pytest.mark.parametrize("method", ["create", "start"])
async def test_an_edit_that_is_refused_too_late_is_taken_back(method):
    old, new = stack(service("web"), at=1.0), stack(service("web", config_hash="web v2"))
    world, faults = world_of(old), Faults()
    async with running(FakeDriver(world, faults), old) as engine:
        assert await wait_until_up(engine) == ()
        faults.fail(method, "s-web-1", [FatalError("the kernel will not")])
        engine.set_desired(with_earlier(replace(new, request=Request(at=clock())), old, engine.observed))
        [failure] = await wait_until_up(engine)
        assert failure.error == "the kernel will not"
        assert "started again" in failure.hint
        container = engine.observed.containers["s-web-1"]
        assert (container.config_hash, type(container.status)) == ("web v1", Running)


async def test_what_cannot_be_started_leaves_its_siblings_alone_and_is_tried_again_by_the_next_up():
    desired = stack(service("bad", restart="always"), service("good"), service("after", "bad"), at=1.0)
    world = world_of(desired)
    faults = Faults()
    faults.fail("start", "s-bad-1", [FatalError("no such program")])
    async with running(FakeDriver(world, faults), desired) as engine:
        failures = await wait_until_up(engine)
        assert [str(failure) for failure in failures] == ["container/s-bad-1: no such program"]
        seen = {name: type(container.status) for name, container in engine.observed.containers.items()}
        assert seen == {"s-bad-1": Created, "s-good-1": Running, "s-after-1": Created}
        await anyio.sleep(0.001)  # the command comes after the failure
        engine.set_desired(asked(desired, clock()))
        assert await wait_until_up(engine) == ()
        assert [name for _, name in happened(world, "started")] == ["s-good-1", "s-bad-1", "s-after-1"]


async def test_what_a_cancelled_creation_fails_with_is_not_told():
    class Fragile(FakeDriver):
        """A creation that is cut off fails in a way of its own."""

        async def create(self, spec, image_digest):
            try:
                await anyio.sleep_forever()
            except BaseException:
                raise FatalError("no such file or directory") from None

    desired = stack(service("web"), at=1.0)
    engine = Engine(Fragile(world_of(desired)), desired, clock=clock)
    told = []
    async with anyio.create_task_group() as tasks:
        with engine.subscribe() as events:
            tasks.start_soon(engine.run)
            async for event in events:
                if isinstance(event, ActionEvent) and event.resource == ResourceId.container("s-web-1"):
                    told.append((event.phase, event.error))
                    if event.phase is not Phase.STARTED:
                        break
                    engine.set_desired(going_down(desired, at=clock()))
        tasks.cancel_scope.cancel()
    assert told == [(Phase.STARTED, ""), (Phase.CANCELLED, "")]
    assert not engine.observed.failures


async def test_lost_firewall_rules_are_restored_and_reported():
    desired = stack(service("web"), at=1.0)
    world = world_of(desired)
    async with running(FakeDriver(world), desired) as engine:
        await wait_until_up(engine)
        with engine.subscribe() as events:
            world.lose_rules()
            async for event in events:
                if isinstance(event, ActionEvent) and event.phase is Phase.DONE:
                    break
        assert (event.resource, event.reason) == (
            ResourceId.network("s_default"),
            "its firewall rules were removed or changed",
        )
        assert not any(network.loss for network in world.observed.networks.values())


class Recording(FakeDriver):
    """Tells of each health that is recorded."""

    recorded = anyio.Event()

    async def record_health(self, name, health, probed=None):
        await super().record_health(name, health, probed)
        self.recorded.set()
        self.recorded = anyio.Event()


async def test_a_container_that_stays_healthy_causes_no_new_plan():
    desired = stack(service("web", healthy=HealthcheckSpec(("true",), interval=0.1)), at=1.0)
    driver = Recording(world_of(desired, web=Program((Run(healthy_from=0.0),))))
    async with running(driver, desired) as engine:
        assert await wait_until_up(engine, wait=True) == ()
        driver.recorded = anyio.Event()
        await driver.recorded.wait()
        plan = engine.plan
        await driver.recorded.wait()
        await driver.recorded.wait()
        assert engine.plan is plan


async def test_the_driver_is_not_asked_for_what_it_has_told_already():
    desired = stack(service("db"), service("web", replicas=10), at=1.0)
    visits = []

    class Silent(FakeDriver):
        """Tells of nothing that happens only because it was asked for, as the local driver does."""

        async def events(self):
            await anyio.sleep_forever()
            yield None

    world = world_of(desired)
    async with running(Silent(world, Faults(visit=visits.append)), desired) as engine:
        assert await wait_until_up(engine) == ()
    assert [visit for visit in visits if visit.startswith("inspect")] == []


async def test_what_the_driver_told_of_a_start_does_not_hide_that_the_run_has_ended():
    desired = stack(service("job", restart="no"), at=1.0)

    class Slow(FakeDriver):
        """Tells of a start when the program has long ended, and the engine knows it."""

        async def start(self, name, **options):
            async with engine.subscribe() as events:
                container = await super().start(name, **options)
                async for event in events:
                    if isinstance(event, ContainerEvent) and event.change == "exited":
                        return container

    world = world_of(desired, job=one_shot(0.01))
    async with running(Slow(world), desired) as engine:
        await wait_until_up(engine)
        assert isinstance(engine.observed.containers["s-job-1"].status, Exited)


@pytest.mark.parametrize("anyio_backend", [("trio", {"clock": MockClock(autojump_threshold=0)})])
async def test_what_happens_soon_after_a_plan_that_took_long_is_planned_for_together(anyio_backend, monkeypatch):
    began = []

    def take_long(planner, *arguments):
        began.append(anyio.current_time())
        anyio_backend[1]["clock"].jump(0.01)
        return quick(planner, *arguments)

    quick = Planner.plan
    monkeypatch.setattr(Planner, "plan", take_long)
    desired = stack(*(service(f"s{number}") for number in range(30)), at=1.0)
    async with running(FakeDriver(world_of(desired)), desired) as engine:
        assert await wait_until_up(engine) == ()
    assert min(later - earlier for earlier, later in pairwise(began)) == pytest.approx(0.03)
    assert len(began) < 30


def runs_since(container) -> float:
    return container.status.started_at if isinstance(container.status, Running) else inf


@pytest.mark.parametrize("wish", [{"recreate": Recreate.ALWAYS}, {"restart": True}])
async def test_a_clock_that_is_set_back_does_not_have_a_command_carried_out_again_and_again(wish):
    ahead = [3600.0]
    desired = stack(service("web", "db!", replicas=2, restart="always"), service("db"), at=clock() + ahead[0])
    desired = wished(desired, "web", "db", at=desired.request.at, **wish)
    world = World(desired.stack, lambda: clock() + ahead[0])
    engine = Engine(FakeDriver(world), desired, clock=world.now)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(engine.run)
        assert await wait_until_up(engine) == ()
        ahead[0] = 0.0
        world.shift(-3600.0)
        world.kill("s-web-2")
        await engine.wait(lambda _desired, seen, _plan: runs_since(seen.containers["s-web-2"]) <= engine.now())
        await engine.look_afresh()
        assert await wait_until_up(engine) == ()
        tasks.cancel_scope.cancel()
    assert sorted(name for _, name in happened(world, "started")) == ["s-db-1", "s-web-1", "s-web-2", "s-web-2"]


async def test_a_look_that_took_long_does_not_undo_what_a_full_look_has_shown():
    desired = stack(service("web", restart="no"), at=1.0)
    overtaken = anyio.Event()

    class Slow(FakeDriver):
        """A look at a container that runs ends when it has ended, and a later full look has shown that."""

        async def inspect(self, name):
            container = await super().inspect(name)
            if container is not None and isinstance(container.status, Running):
                self.world.kill(name)
                await engine.look_afresh()
                overtaken.set()
            return container

    world = world_of(desired)
    async with running(Slow(world), desired) as engine:
        with engine.subscribe() as events:
            await overtaken.wait()
            engine.set_desired(going_down(desired, at=clock()))
            assert await wait_until_down(engine) == ()
            told = [events.receive_nowait() for _ in range(events.statistics().current_buffer_used)]
    changes = [event.change for event in told if isinstance(event, ContainerEvent)]
    assert changes == ["created", "started", "exited", "removed"]
