"""What a supervisor does with the containers of one-off commands."""

from __future__ import annotations

import signal

import anyio
import pytest

from orchestra.control.desired_file import load_desired
from orchestra.driver.fake.program import Program, Run, one_shot
from orchestra.errors import OrchestraError
from orchestra.model.observed import Exited, Running
from orchestra.model.request import (
    CancelRequest,
    ConcludeRequest,
    DownRequest,
    KillRequest,
    RestartRequest,
    StopRequest,
)
from orchestra.record import replace
from tests.plan.stacks import service, stack, with_run

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(20)]

RUN = "s-job-run"


def asked(*services, name=RUN, **fields):
    """What the client of a command sends: the container, and those of what its service depends on."""
    desired = with_run(stack(*services), "job", name=name, **fields)
    return replace(desired, containers=tuple(s for s in desired.containers if s.service != "job" or s.one_off))


def of_job(**fields):
    return asked(service("db"), service("job", "db"), **fields)


async def eventually(question):
    while not question():  # noqa: ASYNC110 - the supervisor on the other side of a socket tells no event of it
        await anyio.sleep(0.01)


async def test_a_command_runs_after_what_it_depends_on_and_is_removed_when_it_was_asked_for(supervised):
    s = supervised(job=one_shot(0.1, exit_code=3))
    async with s.running():
        result = await s.run_once(of_job(remove_when_ended=True), RUN, "db")
        assert result.failures == ()
        assert result.id
        assert (await s.ask(ConcludeRequest(RUN))).exit_code == 3
        assert s.states() == {"s-db-1": Running}
        await eventually(lambda: load_desired(s.home).one_offs == ())
        assert load_desired(s.home).services == ("db", "job")
    assert [name for _, name in s.happened("started")] == ["s-db-1", RUN]


async def test_one_that_stays_is_left_alone_by_every_other_command_but_down(supervised):
    s = supervised()
    async with s.running():
        await s.up(stack(service("db"), service("job", "db")))
        await s.run_once(of_job(), RUN, "db")
        await s.ask(RestartRequest(timeout=0))
        await s.ask(StopRequest(timeout=0))
        await s.ask(KillRequest(signal.SIGKILL))
        await s.up(stack(service("db", config_hash="db v2"), service("job", "db")), remove_orphans=True)
        assert isinstance(s.world.observed.containers[RUN].status, Running)
        assert [name for what, name in s.happened("started") if name == RUN] == [RUN]
        result = await s.ask(DownRequest(stop_timeout=0))
        assert result.failures == ()
        assert s.states() == {}
    assert s.happened("stopping")[-2:] == [("stopping", RUN), ("stopping", "s-db-1")]


async def test_a_supervisor_that_is_killed_at_any_moment_starts_it_exactly_once(supervised):
    s = supervised(job=one_shot(0.05))
    desired = of_job(remove_when_ended=True)
    for _ in range(6):
        async with s.running():
            with anyio.move_on_after(0.03):
                await s.run_once(desired, RUN, "db")
    async with s.running():
        await s.run_once(desired, RUN, "db")
        await s.ask(ConcludeRequest(RUN))
        await eventually(lambda: load_desired(s.home).one_offs == ())
        await s.run_once(desired, RUN, "db")
    assert [name for _, name in s.happened("started") if name == RUN] == [RUN]


async def test_it_ends_and_is_removed_when_its_client_and_the_supervisor_are_gone(supervised):
    s = supervised(job=one_shot(0.2))
    async with s.running():
        await s.run_once(of_job(remove_when_ended=True), RUN, "db")
    await anyio.sleep(0.25)
    assert isinstance(s.world.observed.containers[RUN].status, Exited)
    async with s.running():
        await s.ask(ConcludeRequest(RUN))
        assert RUN not in s.states()


async def test_several_run_at_once(supervised):
    s = supervised(job=one_shot(0.1))
    async with s.running():
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                name = f"{RUN}-{number}"
                tasks.start_soon(s.run_once, of_job(name=name), name, "db")
        assert sum(name.startswith(RUN) for _, name in s.happened("started")) == 5
        assert s.happened("started").count(("started", "s-db-1")) == 1


async def test_one_that_cannot_be_started_is_told_and_leaves_nothing(supervised):
    s = supervised(db=Program((Run(exits_after=0.0, exit_code=1),)))
    async with s.running():
        desired = asked(service("db"), service("job", "db:completed"))
        result = await s.run_once(desired, RUN, "db")
        assert "didn't complete successfully: exit 1" in result.failures[0].error
        assert RUN not in s.states()
        assert load_desired(s.home).one_offs == ()
        with pytest.raises(OrchestraError, match="in use by another container"):
            await s.run_once(of_job(name="s-db-1"), "s-db-1", "db")


async def test_one_that_waits_can_be_given_up(supervised):
    s = supervised()
    async with s.running(), anyio.create_task_group() as tasks:

        async def run():
            with pytest.raises(OrchestraError, match="in the meantime"):
                await s.run_once(asked(service("db", healthy=True), service("job", "db:completed")), RUN, "db")

        tasks.start_soon(run)
        await eventually(lambda: "s-db-1" in s.states())
        assert (await s.ask(CancelRequest(RUN))).cancelled
        assert not (await s.ask(CancelRequest(RUN))).cancelled
    assert RUN not in s.states()
    assert RUN not in [name for _, name in s.happened("started")]
