"""What ``orchestra.engine.driver`` promises, asked of every driver."""

from __future__ import annotations

import anyio
import pytest

from orchestra.engine.dispatch import perform
from orchestra.errors import TemporaryError
from orchestra.model.health import Health, HealthStatus
from orchestra.model.hook import Hook
from orchestra.model.observed import Created, Exited, Running
from orchestra.model.sharing import OfService
from orchestra.plan.action import AnonymousVolumes
from orchestra.plan.plan import plan
from orchestra.plan.predict import predict
from orchestra.record import replace
from tests.contract.conftest import STACK
from tests.plan.stacks import going_down

SAY = Hook(
    ("sh", "-c", 'test "$GREETING" = "good day" && test "$PWD" = /tmp'), "0:0", False, "/tmp", {"GREETING": "good day"}
)

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


async def ended(used, service: str) -> Exited:
    """How the run of the service ended, told by an event."""
    with anyio.fail_after(10):
        while True:
            container = await used.look(service)
            if isinstance(container.status, Exited):
                return container.status
            async for name in used.driver.events():
                if name == container.name:
                    break


def comparable(observed):
    """Without what no prediction can know, and without times, which are never quite the same."""
    containers = {}
    for name, container in observed.containers.items():
        status = container.status
        if isinstance(status, Running):
            status = Running(0, 0.0)
        if isinstance(status, Exited):
            status = Exited(None, 0.0, 0.0, stopped=status.stopped)
        containers[name] = replace(
            container, id="", status=status, created_at=0.0, image_digest="", addresses={}, command=()
        )
    images = {name: replace(image, digest="", pulled_at=0.0) for name, image in observed.images.items()}
    return replace(observed, containers=containers, images=images)


async def test_every_action_does_what_was_predicted_and_may_be_repeated(kind, using):
    async with using("sleeper", "stubborn", volumes=["data"], stop_grace_period=0.2) as used:
        await used.clear()
        driver, now = used.driver, 2e9
        verbs = []
        for desired in (used.desired, going_down(used.desired, remove_volumes=True)):
            while actions := plan(desired, await driver.observe(desired), {}, now).ready:
                action = actions[0]
                verbs.append(action.verb)
                expected = comparable(predict(await driver.observe(desired), action, now))
                await perform(driver, action)
                assert comparable(await driver.observe(desired)) == expected
                await perform(driver, action)
                assert comparable(await driver.observe(desired)) == expected
        assert set(verbs) >= {"create", "start", "stop", "remove"}
        left = await driver.observe(going_down(used.desired))
        assert (left.containers, left.networks, left.volumes) == ({}, {}, {})


@pytest.mark.parametrize("how", [{"pid": OfService("sleeper")}, {"initializes": f"{STACK}-sleeper-1"}])
async def test_a_container_tells_with_which_one_it_was_made(using, how):
    async with using("sleeper", "quick") as used:
        for _ in range(2):
            owner = await used.create("sleeper")
            assert owner.id
            await used.driver.create(replace(used.spec("quick"), **how), used.digest)
            assert (await used.look("quick")).made_with == {owner.name: owner.id}
            for service in ("quick", "sleeper"):
                await used.driver.remove(used.name(service), volumes=AnonymousVolumes.DELETE)


async def test_a_run_tells_with_which_containers_it_began(using):
    async with using("sleeper") as used:
        await used.create("sleeper")
        for runs_with in ({"contract-db-1": "one"}, {}):
            await used.driver.start(used.name("sleeper"), restarts=0, backoff=0, runs_with=runs_with)
            assert (await used.look("sleeper")).runs_with == runs_with
            await used.driver.stop(used.name("sleeper"), signal="SIGKILL", timeout=1)
            assert (await used.look("sleeper")).runs_with == runs_with


async def test_a_container_is_created_runs_and_ends(using):
    async with using("quick") as used:
        created = await used.create("quick")
        assert isinstance(created.status, Created)
        assert created.config_hash == used.spec("quick").config_hash
        assert created.image_digest == used.digest
        await used.start("quick")
        status = await ended(used, "quick")
        assert (status.exit_code, status.stopped, status.oom_killed) == (3, False, False)
        assert status.started_at <= status.finished_at


async def test_creating_and_starting_tell_what_a_look_would(using):
    async with using("sleeper") as used:
        created = await used.driver.create(used.spec("sleeper"), used.digest)
        assert created in (None, await used.look("sleeper"))
        started = await used.driver.start(used.name("sleeper"), restarts=0, backoff=0)
        seen = await used.look("sleeper")
        used.kind.begun(seen.status.pid)
        assert isinstance(seen.status, Running)
        assert started in (None, seen)


async def test_a_container_keeps_its_identity_over_runs_and_counts_restarts(using):
    async with using("quick") as used:
        created = await used.create("quick")
        await used.start("quick")
        first = await ended(used, "quick")
        await used.start("quick", restarts=2, backoff=1)
        second = await ended(used, "quick")
        container = await used.look("quick")
        assert container.id == created.id
        assert (container.restarts, container.backoff) == (2, 1)
        assert second.started_at >= first.finished_at


async def test_a_drained_container_runs_and_is_drained_for_good(using):
    async with using("sleeper") as used:
        await used.create("sleeper")
        before = await used.start("sleeper")
        await used.driver.drain(used.name("sleeper"))
        drained = await used.look("sleeper")
        assert drained.drained_at >= before.created_at
        await used.driver.drain(used.name("sleeper"))
        assert await used.look("sleeper") == drained
        assert replace(drained, drained_at=0.0) == before


async def test_a_requested_stop_differs_from_an_end_by_itself(using):
    async with using("sleeper") as used:
        await used.create("sleeper")
        assert isinstance((await used.start("sleeper")).status, Running)
        await used.driver.stop(used.name("sleeper"), signal="", timeout=0.5)
        status = (await used.look("sleeper")).status
        assert isinstance(status, Exited)
        assert status.stopped
        again = (await used.start("sleeper")).status
        assert isinstance(again, Running)
        assert again.started_at > status.started_at


async def test_who_ignores_the_stop_signal_is_killed_in_the_end(using):
    async with using("stubborn") as used:
        await used.create("stubborn")
        await used.start("stubborn")
        await used.driver.stop(used.name("stubborn"), signal="SIGTERM", timeout=0.2)
        status = (await used.look("stubborn")).status
        assert (status.exit_code, status.stopped) == (137, True)


async def test_a_stop_that_is_cancelled_can_be_completed(using):
    async with using("stubborn") as used:
        await used.create("stubborn")
        await used.start("stubborn")
        with anyio.move_on_after(0.1) as limit:
            await used.driver.stop(used.name("stubborn"), signal="SIGTERM", timeout=60)
        assert limit.cancelled_caught
        assert isinstance((await used.look("stubborn")).status, Running)
        await used.driver.stop(used.name("stubborn"), signal="SIGTERM", timeout=0)
        assert (await used.look("stubborn")).status.stopped


@pytest.mark.parametrize("after", [0.0, 0.001, 0.003, 0.01])
async def test_a_creation_that_is_cancelled_can_be_completed(using, after):
    async with using("sleeper", volumes=["data"]) as used:
        with anyio.move_on_after(after):
            await used.create("sleeper")
        observed = await used.driver.observe(used.desired)
        assert set(observed.containers) <= {used.name("sleeper")}
        assert isinstance((await used.create("sleeper")).status, Created)
        assert isinstance((await used.start("sleeper")).status, Running)


async def test_probes_tell_what_the_program_says(kind, using):
    async with using("sleeper", "sick") as used:
        for service, passes in (("sleeper", True), ("sick", False)):
            await used.create(service)
            await used.start(service)
            result = await used.driver.probe(used.name(service), kind.probes[service], timeout=10)
            assert (result.exit_code == 0) is passes
            assert result.output


async def test_a_probe_of_what_does_not_run_may_be_tried_again(kind, using):
    async with using("sleeper") as used:
        await used.create("sleeper")
        with pytest.raises(TemporaryError):
            await used.driver.probe(used.name("sleeper"), kind.probes["sleeper"], timeout=10)


async def test_health_is_kept_with_the_run_it_was_found_in(using):
    async with using("sleeper") as used:
        await used.create("sleeper")
        await used.start("sleeper")
        health = Health(HealthStatus.HEALTHY, 0, 5.0, "fine")
        await used.driver.record_health(used.name("sleeper"), health)
        assert (await used.look("sleeper")).status.health == health
        await used.driver.stop(used.name("sleeper"), signal="SIGKILL", timeout=1)
        assert (await used.start("sleeper")).status.health == Health()


async def test_hooks_tell_how_they_ended_and_are_counted_until_a_command_starts_it_again(using):
    async with using("sleeper", post_start=(SAY, SAY), pre_stop=(SAY,)) as used:
        await used.create("sleeper")
        name = used.name("sleeper")
        with pytest.raises(TemporaryError):
            await used.driver.run_hook(name, SAY, timeout=None)
        await used.start("sleeper")
        assert (await used.driver.run_hook(name, SAY, timeout=10)).exit_code == 0
        await used.driver.record_hooks(name, 1)
        assert (await used.look("sleeper")).hooks_left == (SAY,)
        for restarts, left in ((1, 1), (0, 2)):
            await used.driver.stop(name, signal="SIGKILL", timeout=1)
            assert len((await used.start("sleeper", restarts)).hooks_left) == left


async def test_another_driver_sees_the_same(kind, using):
    async with using("sleeper", volumes=["data"]) as used:
        await used.create("sleeper")
        await used.start("sleeper")
        assert await kind.open().observe(used.desired) == await used.driver.observe(used.desired)


async def test_what_is_not_there_is_gone_already(using):
    async with using("sleeper") as used:
        await used.driver.stop("contract-nobody-1", signal="SIGTERM", timeout=1)
        await used.driver.remove("contract-nobody-1", volumes=AnonymousVolumes.DELETE)
        await used.driver.remove_network("contract_nothing")
        await used.driver.remove_volume("contract_nothing")
        assert await used.driver.inspect("contract-nobody-1") is None
