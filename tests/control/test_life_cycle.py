"""What a supervisor does when it is asked to start, stop, kill, remove or wait for containers."""

from __future__ import annotations

import signal
import time

import pytest

from orchestra.control.desired_file import load_desired
from orchestra.driver.fake.program import Program, Run, one_shot
from orchestra.errors import OrchestraError
from orchestra.model.event import ActionEvent
from orchestra.model.observed import Created, Exited, Running
from orchestra.model.request import (
    AttendRequest,
    KillRequest,
    PauseRequest,
    RemoveRequest,
    RestartRequest,
    StartRequest,
    StopRequest,
    WaitRequest,
)
from orchestra.model.result import RemoveResult
from orchestra.model.wish import Goal
from orchestra.record import replace
from tests.plan.stacks import service, stack

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


def chain():
    return stack(service("db"), service("web", "db!"), service("other", "db"))


async def test_what_is_only_created_is_started_by_start_with_what_it_depends_on(supervised):
    s = supervised()
    async with s.running():
        result = await s.up(chain(), start=False)
        assert [row.state for row in result.containers] == ["created"] * 3
        assert s.happened("started") == []
        started = await s.ask(StartRequest(("web",)))
        assert {row.name: row.state for row in started.containers} == {"s-db-1": "running", "s-web-1": "running"}
    assert [name for _, name in s.happened("started")] == ["s-db-1", "s-web-1"]
    assert s.states()["s-other-1"] is Created


async def test_create_leaves_what_runs_running_and_does_not_start_what_it_replaces(supervised):
    s = supervised()
    async with s.running():
        await s.up(chain())
        changed = stack(service("db"), service("web", "db!", config_hash="web v2"), service("other", "db"))
        await s.up(changed, start=False)
        assert s.states() == {"s-db-1": Running, "s-web-1": Created, "s-other-1": Running}
        assert s.world.observed.containers["s-web-1"].config_hash == "web v2"


async def test_what_was_created_or_stopped_stays_so_with_another_supervisor(supervised):
    s = supervised()
    async with s.running():
        await s.up(stack(service("db", restart="always"), service("web", restart="always")))
        await s.ask(StopRequest(("db",)))
        await s.up(stack(service("job")), services=("job",), start=False)
    before = len(s.happened("started"))
    async with s.running():
        await s.ask(StopRequest(("none",)))
        assert s.states()["s-db-1"] is Exited
    assert len(s.happened("started")) == before


async def test_there_is_nothing_to_start_of_a_service_without_containers(supervised):
    s = supervised()
    async with s.running():
        await s.up(stack(service("db"), service("web")), services=("db",))
        with pytest.raises(OrchestraError, match='service "web" has no container to start'):
            await s.ask(StartRequest(("web",)))


async def test_restart_follows_the_order_of_dependencies_and_takes_along_who_restarts_with_them(supervised):
    s = supervised()
    async with s.running():
        await s.up(chain())
        result = await s.ask(RestartRequest(("db",)))
        assert {row.name for row in result.containers} == {"s-db-1", "s-web-1"}
        assert not load_desired(s.home).wish("db").restart
        assert [name for _, name in s.happened("stopping")] == ["s-db-1", "s-web-1"]
        assert [name for _, name in s.happened("started")][3:] == ["s-db-1", "s-web-1"]
        await s.ask(RestartRequest(("db",), alone=True))
        assert [name for _, name in s.happened("stopping")][2:] == ["s-db-1"]


async def test_a_restart_that_is_asked_again_ends_no_run_twice(supervised):
    """Its supervisor was killed before it could answer, and the client asks the next one."""
    s = supervised()
    async with s.running():
        await s.up(chain())
        request = RestartRequest(("web",), asked_at=time.time())
        await s.ask(request)
        await s.ask(request)
    assert len(s.happened("stopping")) == 1


async def test_restart_starts_what_was_stopped_and_replaces_nothing(supervised):
    s = supervised()
    async with s.running():
        await s.up(chain())
        made = s.world.observed.containers["s-web-1"].created_at
        await s.ask(StopRequest(("web",)))
        await s.ask(RestartRequest(("web",)))
        assert s.states()["s-web-1"] is Running
        assert s.world.observed.containers["s-web-1"].created_at == made


async def test_an_unhealthy_dependency_that_is_not_restarted_does_not_hold_a_restart(supervised):
    s = supervised(db=Program((Run(healthy_from=0.0), Run(healthy_from=None))))
    probed = stack(service("db", healthy=True), service("web", "db:healthy"))
    async with s.running():
        await s.up(probed)
        await s.ask(KillRequest(signal.SIGKILL, ("db",)))
        result = await s.ask(RestartRequest(("web",)))
        assert result.failures == ()
        assert s.states() == {"s-db-1": Exited, "s-web-1": Running}


async def test_stop_and_restart_take_their_own_time(supervised):
    stubborn = Program((Run(stops_after=None),) * 4)
    s = supervised(web=stubborn)
    async with s.running():
        await s.up(stack(service("web", stop_grace_period=1e9)))
        await s.ask(RestartRequest(("web",), timeout=0.1))
        await s.ask(StopRequest(("web",), timeout=0.1))
        assert s.world.observed.containers["s-web-1"].status.exit_code == 137
        await s.ask(StartRequest(("web",)))
        desired = load_desired(s.home)
        assert desired.stop_timeout(desired.containers[0]) is None


async def test_a_killed_container_is_not_started_again_and_ends_an_attached_up(supervised):
    s = supervised()
    async with s.running():
        await s.up(stack(service("db", restart="always"), service("web", restart="always")))
        result = await s.ask(KillRequest(signal.SIGKILL))
        assert result.killed == ("s-db-1", "s-web-1")
        exits = (await s.ask(AttendRequest())).exits
        assert [each.exit_code for each in exits] == [137, 137]
        assert load_desired(s.home).wish("web").goal is Goal.LEAVE
        assert (await s.ask(KillRequest(signal.SIGKILL))).killed == ()
        await s.up(stack(service("db", restart="always"), service("web", restart="always")))
        assert s.states() == {"s-db-1": Running, "s-web-1": Running}


async def test_a_signal_that_need_not_end_a_program_leaves_its_restart_policy_alone(supervised):
    s = supervised()
    async with s.running():
        await s.up(stack(service("web", restart="always")))
        assert (await s.ask(KillRequest(signal.SIGHUP))).killed == ("s-web-1",)
        assert load_desired(s.home).wish("web").goal is Goal.RUN


async def test_kill_removes_orphans_on_request(supervised):
    s = supervised()
    async with s.running():
        await s.up(stack(service("db"), service("old")))
        await s.up(stack(service("db")))
        assert set(s.states()) == {"s-db-1", "s-old-1"}
        assert (await s.ask(KillRequest(signal.SIGHUP, remove_orphans=True))).killed == ("s-db-1",)
        assert set(s.states()) == {"s-db-1"}


async def test_removed_containers_stay_away_until_the_next_up(supervised):
    s = supervised(job=one_shot(0.1))
    whole = stack(service("job"), service("web", restart="always"))
    heard = []
    async with s.running():
        await s.up(whole)
        await s.ask(WaitRequest(("job",)))
        with pytest.raises(OrchestraError, match="container s-web-1 is running"):
            await s.ask(RemoveRequest(("s-job-1", "s-web-1")))
        assert set(s.states()) == {"s-job-1", "s-web-1"}
        result = await s.ask(RemoveRequest(("s-job-1",)), heard.append)
        assert result == RemoveResult(("s-job-1",))
        assert {(event.verb, str(event.resource)) for event in heard if isinstance(event, ActionEvent)} == {
            ("remove", "container/s-job-1")
        }
        assert set(s.states()) == {"s-web-1"}
        with pytest.raises(OrchestraError, match='service "job" has no container to start'):
            await s.ask(StartRequest(("job",)))
        assert (await s.ask(RemoveRequest(("s-job-1",)))) == RemoveResult(("s-job-1",))
        await s.up(whole)
        assert set(s.states()) == {"s-job-1", "s-web-1"}


async def test_containers_of_a_service_that_no_profile_enables_any_more_can_be_removed(supervised):
    s = supervised(job=one_shot(0.1))
    async with s.running():
        await s.up(stack(service("job"), service("web")))
        await s.up(replace(stack(service("web")), services=("job", "web"), disabled=("job",)))
        assert set(s.states()) == {"s-job-1", "s-web-1"}
        await s.ask(WaitRequest(("job",)))
        await s.ask(RemoveRequest(("s-job-1",)))
        assert set(s.states()) == {"s-web-1"}


async def test_wait_is_over_with_the_present_runs(supervised):
    # On a busy machine it takes a second until the question arrives; what has ended by then is not waited for.
    runs = Program((Run(exits_after=3.0, exit_code=3), Run()))
    s = supervised(job=runs, late=Program((Run(exits_after=3.2, exit_code=4),)))
    async with s.running():
        await s.up(stack(service("job", restart="always"), service("late")))
        exits = (await s.ask(WaitRequest(("job", "late")))).exits
        assert [(each.service, each.exit_code) for each in exits] == [("job", 3), ("late", 4)]
        assert (await s.ask(WaitRequest(("late",)))).exits == ()


async def test_wait_for_the_first(supervised):
    s = supervised(job=Program((Run(exits_after=3.0, exit_code=3),)))
    async with s.running():
        await s.up(stack(service("job"), service("web")))
        exits = (await s.ask(WaitRequest((), first=True))).exits
        assert [(each.service, each.exit_code) for each in exits] == [("job", 3)]


async def test_a_driver_that_cannot_pause_says_so(supervised):
    s = supervised()
    async with s.running():
        await s.up(stack(service("web")))
        with pytest.raises(OrchestraError, match="cannot pause"):
            await s.ask(PauseRequest())


async def test_up_tells_of_a_volume_whose_new_definition_has_no_effect(supervised):
    s = supervised()
    first = stack(service("db", volumes=("data",)))
    (volume,) = first.volumes
    async with s.running():
        assert (await s.up(replace(first, volumes=(replace(volume, config_hash="v1"),)))).kept == ()
        assert (await s.up(replace(first, volumes=(replace(volume, config_hash="v2"),)))).kept == ("s_data",)
