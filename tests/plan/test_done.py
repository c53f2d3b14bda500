"""When `up` and `down` are done, and when `up` never will be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.plan.done import is_down, is_up, never_up
from orchestra.plan.plan import plan
from orchestra.state.desired import ImageSpec
from orchestra.state.observed import Created, Exited, Failure, Health, HealthStatus, Network, Observed, Running, Volume
from tests.plan.stacks import asked, changed, going_down, service, stack
from tests.plan.test_preview import world_after

DESIRED = stack(service("db", healthy=True), service("web", "db:healthy", volumes=["data"]))
UP = world_after(DESIRED)


def running(health=HealthStatus.NONE):
    return Running(1, 100.0, Health(health))


@pytest.mark.parametrize(
    ("status", "up", "up_and_waited"),
    [
        (Created(), False, False),
        (running(HealthStatus.STARTING), True, False),
        (running(HealthStatus.UNHEALTHY), True, False),
        (running(HealthStatus.HEALTHY), True, True),
        (Exited(0, 101.0, 102.0), True, False),
        (Exited(0, 98.0, 99.0), False, False),
        (Exited(143, 101.0, 102.0, stopped=True), False, False),
    ],
)
def test_a_service_with_a_healthcheck_is_up(status, up, up_and_waited):
    world = changed(UP, "s-db-1", status=status)
    assert is_up(DESIRED, world, wait=False) is up
    assert is_up(DESIRED, world, wait=True) is up_and_waited


@pytest.mark.parametrize(("code", "needed", "counts"), [(0, True, True), (0, False, False), (1, True, False)])
def test_a_one_shot_counts_for_wait_when_somebody_needs_it_completed(code, needed, counts):
    desired = stack(service("job"), service("web", "job:completed" if needed else "job"))
    world = changed(world_after(desired), "s-job-1", status=Exited(code, 101.0, 102.0))
    world = changed(world, "s-web-1", status=running())
    assert is_up(desired, world, wait=True) is counts


def test_a_stack_is_not_up_while_something_has_to_be_replaced_or_removed():
    assert not is_up(asked(DESIRED, at=200.0, recreate=("web",)), UP, wait=False)
    assert not is_up(stack(service("db", healthy=True, replicas=0), service("web", volumes=["data"])), UP, wait=False)
    assert not is_up(DESIRED, replace(UP, containers={}), wait=False)


def test_a_stack_is_not_up_while_an_image_has_to_be_compared():
    always = replace(asked(DESIRED, at=200.0), images=(ImageSpec("app", pull_policy="always"),))
    assert not is_up(always, UP, wait=False)
    assert not is_up(always, UP, wait=False, services=["web"])
    compared = replace(UP, images={"app": replace(UP.images["app"], pulled_at=200.0)})
    assert is_up(always, compared, wait=False)


def test_only_the_selected_services_count():
    world = changed(UP, "s-web-1", status=Created())
    assert is_up(DESIRED, world, wait=True, services=["db"])
    assert not is_up(DESIRED, world, wait=True, services=["web"])


def test_stopped_services_are_up_when_they_have_stopped():
    stopped = asked(DESIRED, at=200.0, stopped=("db", "web"))
    assert not is_up(stopped, UP, wait=False)
    world = changed(UP, "s-db-1", status=Exited(143, 100.0, 201.0, stopped=True))
    world = changed(world, "s-web-1", status=Exited(143, 100.0, 201.0, stopped=True))
    assert is_up(stopped, world, wait=False)


def test_down_is_done_when_nothing_is_left_that_may_be_removed():
    down = going_down(DESIRED)
    assert not is_down(down, UP)
    gone = replace(UP, containers={}, networks={"theirs": Network("theirs", external=True)})
    assert is_down(down, gone)
    assert not is_down(going_down(DESIRED, remove_volumes=True), gone)
    assert is_down(going_down(DESIRED, remove_volumes=True), replace(gone, volumes={}))
    assert is_down(going_down(DESIRED, remove_volumes=True), replace(gone, volumes={"a": Volume("a", external=True)}))
    assert not is_down(down, replace(UP, containers={}))


def test_down_is_done_when_only_orphans_and_what_they_use_are_left():
    world = world_after(stack(service("old")))
    assert is_down(going_down(stack(service("web"))), world)
    assert not is_down(going_down(stack(service("web")), remove_orphans=True), world)


def test_what_failed_for_good_ends_an_up():
    world = replace(
        Observed("s"), failures={"image/app": Failure("image/app", "no such image", False, 1, 100.0, "check it")}
    )
    verdict = plan(DESIRED, world, {}, 100.0)
    assert [str(failure) for failure in never_up(DESIRED, world, verdict, wait=False)] == ["image/app: no such image"]


def test_failures_of_services_nobody_asked_for_do_not_count():
    desired = stack(service("web"), service("other", image="broken"))
    world = replace(Observed("s"), failures={"image/broken": Failure("image/broken", "bad", False, 1, 100.0)})
    verdict = plan(desired, world, {}, 100.0)
    assert never_up(desired, world, verdict, wait=False, services=["web"]) == ()
    assert len(never_up(desired, world, verdict, wait=False, services=["other"])) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (running(HealthStatus.UNHEALTHY), "container s-db-1 is unhealthy"),
        (Exited(0, 101.0, 102.0), "container s-db-1 exited (0)"),
        (running(HealthStatus.STARTING), None),
        (Exited(1, 98.0, 99.0), None),
    ],
)
def test_waiting_ends_when_a_container_cannot_become_healthy(status, error):
    world = changed(UP, "s-db-1", status=status)
    verdict = plan(DESIRED, world, {}, 200.0)
    failures = never_up(DESIRED, world, verdict, wait=True)
    assert [failure.error for failure in failures] == ([error] if error else [])
    assert never_up(DESIRED, world, verdict, wait=False) == ()


def test_a_container_that_will_be_restarted_is_not_lost():
    desired = stack(service("web", restart="always"))
    world = changed(world_after(desired), "s-web-1", status=Exited(1, 101.0, 102.0))
    assert never_up(desired, world, plan(desired, world, {}, 102.0), wait=True) == ()
