"""Hooks in the loop, on the fake driver and both event loops: order, failure, and engines that are killed."""

from __future__ import annotations

from contextlib import asynccontextmanager

import anyio
import pytest

from orchestra.driver.fake.driver import FakeDriver
from orchestra.driver.fake.faults import Faults
from orchestra.driver.fake.program import Program, Run
from orchestra.engine.dispatch import perform
from orchestra.engine.outcome import wait_until_down, wait_until_up
from orchestra.model.hook import Hook
from orchestra.model.observed import Exited, Running
from orchestra.plan.action import StopContainer
from tests.engine.test_loop import clock, happened, running, world_of
from tests.plan.stacks import going_down, service, stack

pytestmark = pytest.mark.anyio

HOOKS = {"post_start": (Hook(("hello",)), Hook(("again",))), "pre_stop": (Hook(("bye",)),)}
STACK = stack(service("db", **HOOKS), service("web", "db"), at=1.0)
EVENTS = ("started", "hook hello", "hook again", "hook bye", "exited")


@asynccontextmanager
async def begun(world):
    """A driver with the first container of the stack running, and no engine."""
    driver = FakeDriver(world)
    async with driver.serving():
        await driver.pull(STACK.images[0])
        for network in STACK.networks:
            await driver.create_network(network)
        await driver.create(STACK.containers[0], "")
        await driver.start("s-db-1", restarts=0, backoff=0)
        yield driver


async def test_hooks_run_between_a_start_and_what_waits_for_it_and_before_a_stop():
    world = world_of(STACK, db=Program(hook_seconds=0.02))
    async with running(FakeDriver(world), STACK) as engine:
        assert await wait_until_up(engine) == ()
        engine.set_desired(going_down(STACK, at=clock()))
        assert await wait_until_down(engine) == ()
    db, web = "s-db-1", "s-web-1"
    assert happened(world, *EVENTS) == [
        ("started", db),
        ("hook hello", db),
        ("hook again", db),
        ("started", web),
        ("exited", web),
        ("hook bye", db),
        ("exited", db),
    ]


async def test_a_run_by_policy_has_no_hooks():
    desired = stack(service("db", restart="always", **HOOKS), at=1.0)
    world = world_of(desired, db=Program((Run(exits_after=0.1), Run())))
    async with running(FakeDriver(world), desired) as engine:
        await wait_until_up(engine)
        await engine.wait(lambda _desired, observed, plan: observed.containers["s-db-1"].restarts and plan.converged)
    assert [what for what, _ in happened(world, *EVENTS)] == [
        "started",
        "hook hello",
        "hook again",
        "exited",
        "started",
    ]


@pytest.mark.parametrize(
    ("point", "counts"),
    [("run_hook s-db-1", (1, 1)), ("record_hooks s-db-1", (2, 1))],
    ids=["before the hook", "before its success is recorded"],
)
async def test_an_engine_that_is_killed_leaves_the_hooks_to_the_next(point, counts):
    """At least once: a hook whose success was not recorded runs again."""
    world = world_of(STACK)
    with anyio.CancelScope() as killed:
        faults = Faults(visit=lambda here: killed.cancel() if here == point else None)
        async with running(FakeDriver(world, faults), STACK) as engine:
            await wait_until_up(engine)
    assert killed.cancelled_caught
    assert isinstance(world.observed.containers["s-db-1"].status, Running)
    assert ("started", "s-web-1") not in happened(world, "started")
    async with running(FakeDriver(world), STACK) as engine:
        assert await wait_until_up(engine) == ()
    assert tuple(len(happened(world, f"hook {word}")) for word in ("hello", "again")) == counts
    assert happened(world, "started") == [("started", "s-db-1"), ("started", "s-web-1")]


async def test_a_hook_that_fails_fails_the_command_with_its_output():
    world = world_of(STACK, db=Program(failing_hooks=("hello", "bye")))
    async with running(FakeDriver(world), STACK) as engine:
        (failure,) = await wait_until_up(engine)
        assert failure.error == "db hook exited with status 1: no luck"
        assert happened(world, *EVENTS) == [("started", "s-db-1"), ("hook hello", "s-db-1")]
        engine.set_desired(going_down(STACK, at=clock()))
        (failure,) = await wait_until_down(engine)
        assert (failure.error, failure.hint) == (
            "db hook exited with status 1: no luck",
            "with --timeout 0 it stops without its hooks",
        )
        assert isinstance(world.observed.containers["s-db-1"].status, Running)
        await anyio.sleep(0.001)  # the command comes after the failure
        engine.set_desired(going_down(STACK, at=clock(), stop_timeout=0.0))
        assert await wait_until_down(engine) == ()
    assert not world.observed.containers


async def test_pre_stop_hooks_are_cut_off_at_the_end_of_the_grace_period():
    world = world_of(STACK, db=Program((Run(stops_after=None),), hook_seconds=60.0))
    async with begun(world) as driver:
        with anyio.fail_after(5):
            await perform(driver, StopContainer("s-db-1", "", 0.2, "", HOOKS["pre_stop"]))
    assert happened(world, "hook bye") == []
    assert isinstance(world.observed.containers["s-db-1"].status, Exited)


async def test_a_container_that_a_hook_ends_is_stopped():
    world = world_of(STACK, db=Program((Run(exits_after=0.05),), hook_seconds=0.1))
    async with begun(world) as driver:
        await perform(driver, StopContainer("s-db-1", "", 5.0, "", HOOKS["pre_stop"]))
    assert isinstance(world.observed.containers["s-db-1"].status, Exited)
