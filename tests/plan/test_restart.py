"""Docker's restart policies and their back-off."""

from __future__ import annotations

import pytest

from orchestra.model.container import Restart, RestartPolicy
from orchestra.model.health import Health, HealthStatus
from orchestra.model.observed import Container, Exited, Observed, Running
from orchestra.model.resource import ResourceId
from orchestra.plan.backoff import delay
from orchestra.plan.plan import plan
from orchestra.plan.restart import exit_text, next_run
from orchestra.record import replace
from tests.plan.stacks import asked, changed, service, stack
from tests.plan.test_preview import world_after

CONTAINER = Container("s-web-1", "web", 1, "id", "h", "app", "d", Exited(1, 0.0, 1.0), 0.0)


@pytest.mark.parametrize(
    ("policy", "exit_code", "restarts", "runs_again"),
    [
        (Restart(RestartPolicy.NO), 1, 0, False),
        (Restart(RestartPolicy.ALWAYS), 0, 99, True),
        (Restart(RestartPolicy.UNLESS_STOPPED), 0, 99, True),
        (Restart(RestartPolicy.ON_FAILURE), 0, 0, False),
        (Restart(RestartPolicy.ON_FAILURE), 1, 99, True),
        (Restart(RestartPolicy.ON_FAILURE), None, 0, True),
        (Restart(RestartPolicy.ON_FAILURE, 3), 1, 2, True),
        (Restart(RestartPolicy.ON_FAILURE, 3), 1, 3, False),
        (Restart(RestartPolicy.ALWAYS, 3), 0, 2, True),
        (Restart(RestartPolicy.ALWAYS, 3), 0, 3, False),
    ],
)
def test_the_policy_decides_by_exit_code_and_count(policy, exit_code, restarts, runs_again):
    ended = Exited(exit_code, 0.0, 1.0)
    assert (next_run(policy, replace(CONTAINER, restarts=restarts), ended) is not None) is runs_again


def test_the_first_restart_comes_at_once_and_the_pauses_double_to_a_minute():
    pauses = []
    container = CONTAINER
    for _ in range(12):
        run = next_run(Restart(RestartPolicy.ALWAYS), container, Exited(1, 100.0, 101.0))
        pauses.append(round(run.at - 101.0, 3))
        container = replace(container, restarts=run.restarts, backoff=run.backoff)
    assert pauses == [0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0, 60.0]
    assert container.restarts == 12


@pytest.mark.parametrize(("seconds", "pause"), [(9.9, 3.2), (10.0, 0.0)])
def test_ten_seconds_of_running_make_the_pause_short_again(seconds, pause):
    run = next_run(Restart(RestartPolicy.ALWAYS), replace(CONTAINER, backoff=5), Exited(1, 100.0, 100.0 + seconds))
    assert run.at - (100.0 + seconds) == pytest.approx(pause)


def test_a_delay_takes_the_place_of_the_back_off():
    run = next_run(Restart(RestartPolicy.ALWAYS, delay=5.0), replace(CONTAINER, backoff=9), Exited(1, 100.0, 101.0))
    assert run.at == 106.0


def test_only_runs_that_end_within_the_window_count():
    policy = Restart(RestartPolicy.ON_FAILURE, 2, window=30.0)
    container = replace(CONTAINER, restarts=9, backoff=2)
    assert next_run(policy, container, Exited(1, 100.0, 129.9)) is None
    run = next_run(policy, container, Exited(1, 100.0, 130.0))
    assert (run.restarts, run.backoff) == (10, 1)


def test_no_number_of_failures_overflows_the_pause():
    assert delay(10_000) == 60.0


def test_the_planner_waits_for_the_pause_and_says_when_to_look_again():
    desired = stack(service("web", restart="always"))
    world = changed(world_after(desired), "s-web-1", status=Exited(1, 101.0, 102.0), backoff=2)
    waiting = plan(desired, world, {}, now=102.1)
    assert waiting.ready == ()
    assert waiting.wake_at == pytest.approx(102.4)
    assert not waiting.converged
    assert [b.reason for b in waiting.blocked] == ["exited (1); restart policy always, 0.4 s after its end"]
    (start,) = plan(desired, world, {}, now=waiting.wake_at).ready
    assert (start.restarts, start.backoff, start.reason) == (1, 3, "exited (1); restart policy always")


def test_being_asked_for_again_forgets_the_counts():
    desired = stack(service("web", restart="on-failure:2"))
    world = changed(world_after(desired), "s-web-1", status=Exited(1, 101.0, 102.0), restarts=2, backoff=2)
    assert plan(desired, world, {}, now=300.0).converged
    (start,) = plan(asked(desired, at=200.0), world, {}, now=200.0).ready
    assert (start.restarts, start.backoff) == (0, 0)


def test_a_restart_by_policy_also_waits_for_its_dependencies():
    desired = stack(service("db", healthy=True), service("web", "db:healthy", restart="always"))
    world = changed(world_after(desired), "s-web-1", status=Exited(1, 101.0, 102.0))
    starting = changed(world, "s-db-1", status=Running(1, 101.0, Health(HealthStatus.STARTING)))
    (blocked,) = plan(desired, starting, {}, now=500.0).blocked
    assert blocked.reason == "waits for s-db-1 to be healthy"
    assert [action.resource for action in plan(desired, world, {}, now=500.0).ready] == [
        ResourceId.container("s-web-1")
    ]


def test_an_end_for_lack_of_memory_is_reported():
    assert exit_text(Exited(137, 0.0, 1.0, oom_killed=True)) == "exited (137, out of memory)"
    assert exit_text(Exited(None, 0.0, 1.0)) == "exited (unknown)"


def test_an_empty_world_is_empty():
    assert plan(stack(), Observed("s"), {}, 0.0).converged


def test_running_out_of_memory_is_said_with_the_limit():
    ended = Exited(137, 0.0, 1.0, oom_killed=True)
    assert exit_text(ended, 64 << 20) == "exited (137, out of memory: its limit is 64 MiB)"
    assert exit_text(ended, 1_000_000) == "exited (137, out of memory: its limit is 1000000 bytes)"
    assert exit_text(Exited(137, 0.0, 1.0), 64 << 20) == "exited (137)"


def sick(started_at, **policy):
    desired = stack(service("web", healthy=True))
    desired = replace(desired, containers=(replace(desired.containers[0], restart=Restart(**policy)),))
    health = Health(HealthStatus.UNHEALTHY, exit_code=1, output="no answer")
    return plan(desired, changed(world_after(desired), "s-web-1", status=Running(1, started_at, health)), {}, 1000.0)


def test_an_unhealthy_container_is_restarted_only_where_that_is_asked_for():
    assert sick(0.0).ready == ()
    [action] = sick(0.0, unhealthy=True).ready
    assert (action.verb, action.resource) == ("stop", ResourceId.container("s-web-1"))
    assert "no answer" in action.reason


def test_a_run_is_not_cut_short_so_unhealthy_containers_cause_no_storm():
    step = sick(995.0, unhealthy=True)
    assert step.ready == ()
    assert step.wake_at == 1005.0
    assert "restarted 10 s after its start" in step.blocked[0].reason
