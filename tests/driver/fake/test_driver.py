"""The fake keeps the driver contract: calls are idempotent, do what `predict` says, and fail as they are told to."""

from __future__ import annotations

import anyio
import pytest
import trio.testing

from orchestra.driver.fake.driver import FakeDriver
from orchestra.driver.fake.faults import Faults
from orchestra.driver.fake.program import Program, Run, one_shot
from orchestra.driver.fake.world import World
from orchestra.engine.dispatch import perform
from orchestra.errors import FatalError, TemporaryError
from orchestra.model.observed import Exited, Network, Running
from orchestra.plan.plan import plan
from orchestra.plan.predict import predict
from orchestra.record import replace
from tests.plan.stacks import going_down, service, stack

pytestmark = pytest.mark.anyio
DESIRED = stack(service("db", volumes=["data"]), service("web", "db"))


@pytest.fixture
def anyio_backend():
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


def clock() -> float:
    return 1_000.0 + anyio.current_time()


def comparable(observed):
    """Without what no prediction can know."""
    containers = {}
    for name, container in observed.containers.items():
        status = container.status
        if isinstance(status, Running):
            status = replace(status, pid=0)
        if isinstance(status, Exited):
            status = replace(status, exit_code=None)
        containers[name] = replace(container, id="", status=status)
    images = {name: replace(image, digest="", pulled_at=0.0) for name, image in observed.images.items()}
    return replace(observed, containers=containers, images=images)


async def test_every_action_does_what_was_predicted_and_may_be_repeated():
    world = World("s", clock)
    driver = FakeDriver(world)
    verbs = []
    for desired in (DESIRED, going_down(DESIRED, remove_volumes=True)):
        while actions := plan(desired, world.view(desired), {}, clock()).ready:
            action = actions[0]
            expected = comparable(predict(world.observed, action, clock()))
            await perform(driver, action)
            assert comparable(world.observed) == expected
            await perform(driver, action)
            assert comparable(world.observed) == expected
            verbs.append(f"{action.verb} {action.resource.kind}")
    assert len(set(verbs)) == 9
    assert world.contents == {}


async def test_programs_end_and_answer_probes_as_time_goes_by():
    programs = {"db": Program((Run(healthy_from=5.0, unhealthy_from=60.0),)), "web": one_shot(30.0, 3)}
    world = World("s", clock, programs)
    driver = FakeDriver(world)
    for _ in range(3):
        for action in plan(DESIRED, world.view(DESIRED), {}, clock()).ready:
            await perform(driver, action)
    await driver.start("s-web-1", restarts=0, backoff=0)
    seen = []
    for age in (1.0, 10.0, 100.0):
        await anyio.sleep(1_000.0 + age - clock())
        seen.append((await driver.probe("s-db-1", ["true"], timeout=1.0)).exit_code)
    assert seen == [1, 0, 1]
    web = await driver.inspect("s-web-1")
    assert web.status == Exited(3, 1_000.0, 1_030.0)
    with pytest.raises(TemporaryError):
        await driver.probe("s-web-1", ["true"], timeout=1.0)


async def test_a_program_that_ignores_its_stop_signal_is_killed_after_the_grace_period():
    world = World("s", clock, {"web": Program((Run(stops_after=None),))})
    driver = FakeDriver(world)
    desired = stack(service("web"))
    for _ in range(3):
        for action in plan(desired, world.view(desired), {}, clock()).ready:
            await perform(driver, action)
    await driver.stop("s-web-1", signal="", timeout=7.0)
    assert world.observed.containers["s-web-1"].status == Exited(137, 1_000.0, 1_007.0, stopped=True)


async def test_faults_are_used_up_in_turn():
    faults = Faults()
    faults.fail("pull", "app", [TemporaryError("first"), FatalError("second")])
    driver = FakeDriver(World("s", clock), faults)
    for text in ("first", "second"):
        with pytest.raises((TemporaryError, FatalError), match=text):
            await driver.pull(DESIRED.images[0])
    assert (await driver.pull(DESIRED.images[0])).key == "app"


async def test_what_is_external_cannot_be_removed():
    world = World("s", clock)
    world.add_external([Network("theirs")])
    with pytest.raises(AssertionError):
        await FakeDriver(world).remove_network("theirs")
    assert "theirs" in world.observed.networks


async def test_events_name_the_containers_to_look_at():
    world = World("s", clock, {"web": one_shot(5.0)})
    driver = FakeDriver(world)
    desired = stack(service("web"))
    async with driver.serving():
        for _ in range(3):
            for action in plan(desired, world.view(desired), {}, clock()).ready:
                await perform(driver, action)
        events = driver.events()
        assert [await anext(events), await anext(events)] == ["s-web-1", "s-web-1"]
        assert clock() == pytest.approx(1_005.0)
        await events.aclose()
