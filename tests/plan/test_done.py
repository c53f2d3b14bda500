"""When `up` and `down` are done, and when `up` never will be."""

from __future__ import annotations

import pytest

from orchestra.model.desired import ImageSpec
from orchestra.model.health import Health, HealthStatus
from orchestra.model.observed import Created, Exited, Failure, Network, Observed, Running, Verb, Volume
from orchestra.model.resource import ResourceId
from orchestra.model.wish import Goal, Recreate
from orchestra.plan.action import CreateNetwork, StartContainer
from orchestra.plan.done import SETTLING, Standing, is_down, is_under_way, judge_down, judge_stop, judge_up
from orchestra.plan.plan import plan
from orchestra.plan.situation import Layout
from orchestra.record import replace
from tests.plan.stacks import asked, changed, going_down, service, stack, wished
from tests.plan.test_preview import world_after

NOW = 500.0
DESIRED = stack(service("db", healthy=True), service("web", "db:healthy", volumes=["data"]))
UP = world_after(DESIRED)


def running(health=HealthStatus.NONE, since=100.0):
    return Running(1, since, Health(health))


def judge(desired, world, *, now=NOW, in_flight=(), **options) -> Standing:
    flights = {action.resource: action for action in in_flight}
    found = plan(desired, world, flights, now)
    standing = judge_up(desired, world, found, flights, now, **options)
    assert standing.starting or not is_under_way(
        desired, Layout(desired).specs.get, found, flights, options.get("services", ())
    )
    return standing


def is_up(desired, world, wait=False, services=()):
    return is_over(judge(desired, world, wait=wait, services=services))


def is_over(standing):
    return not (standing.starting or standing.unproven or standing.failures)


def errors(desired, world, **options):
    return [failure.error for failure in judge(desired, world, **options).failures]


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


@pytest.mark.parametrize(("code", "needed", "counts"), [(0, True, True), (0, False, True), (1, True, False)])
def test_a_one_shot_that_ended_with_0_has_done_its_work(code, needed, counts):
    desired = stack(service("job"), service("web", "job:completed" if needed else "job"))
    world = changed(world_after(desired), "s-job-1", status=Exited(code, 101.0, 102.0))
    world = changed(world, "s-web-1", status=running())
    assert is_up(desired, world, wait=True) is counts


def test_what_had_ended_before_the_question_is_no_failure_if_it_is_left_out():
    world = changed(UP, "s-db-1", status=running(HealthStatus.HEALTHY))
    world = changed(world, "s-web-1", status=Exited(None, 101.0, 102.0))
    assert errors(DESIRED, world, wait=True) == ["container s-web-1 exited (unknown)"]
    assert errors(DESIRED, world, wait=True, since=102.0) == ["container s-web-1 exited (unknown)"]
    assert is_over(judge(DESIRED, world, wait=True, since=103.0))


def test_wait_waits_for_the_end_of_a_one_shot_that_another_service_needs():
    desired = stack(service("job"), service("web", "job:completed?"))
    world = changed(world_after(desired), "s-job-1", status=running())
    world = changed(world, "s-web-1", status=running())
    assert judge(desired, world, wait=True) == Standing(unproven=("s-job-1",))


def test_without_a_healthcheck_a_container_counts_for_wait_once_it_has_run_for_a_while():
    desired = stack(service("web"))
    world = changed(world_after(desired), "s-web-1", status=running(since=NOW))
    assert is_up(desired, world)
    early = judge(desired, world, now=NOW + 0.1, wait=True)
    assert early == Standing(unproven=("s-web-1",), look_at=NOW + SETTLING)
    assert is_over(judge(desired, world, now=NOW + SETTLING, wait=True))


def test_a_stack_is_not_up_while_something_has_to_be_replaced_or_removed():
    assert not is_up(wished(asked(DESIRED, at=200.0), "web", recreate=Recreate.ALWAYS), UP, wait=False)
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
    stopped = wished(asked(DESIRED, at=200.0), "db", "web", goal=Goal.STOP)
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


def failed(verb, resource, *, temporary=False, at=100.0, in_use=False):
    return {resource: Failure(resource, verb, "no luck", temporary, 1, at, "check it", in_use)}


def test_what_failed_for_good_ends_an_up_once_everything_else_has_been_done():
    world = replace(Observed("s"), failures=failed(Verb.PULL, ResourceId.image("app")))
    first = judge(DESIRED, world)
    assert (first.starting, [str(f) for f in first.failures]) == (True, ["image/app: no luck"])
    network = CreateNetwork(DESIRED.networks[0], "")
    assert judge(DESIRED, world, in_flight=[network]).starting
    world = replace(world, networks=UP.networks, volumes=UP.volumes)
    last = judge(DESIRED, world)
    assert (last.starting, [f.hint for f in last.failures]) == (False, ["check it"])


def test_a_failed_up_is_not_over_while_an_independent_service_can_still_start():
    desired = stack(service("db", healthy=True), service("web", "db:healthy"), service("typo"))
    world = replace(world_after(desired), failures=failed(Verb.START, ResourceId.container("s-typo-1")))
    world = changed(world, "s-typo-1", status=Created())
    world = changed(world, "s-web-1", status=Created())
    waiting = changed(world, "s-db-1", status=running(HealthStatus.STARTING))
    assert judge(desired, waiting).starting
    ready = changed(world, "s-db-1", status=running(HealthStatus.HEALTHY))
    assert judge(desired, ready).starting
    started = changed(ready, "s-web-1", status=running())
    assert judge(desired, started) == Standing(failures=judge(desired, started).failures)
    assert errors(desired, started) == ["no luck"]


def test_what_waits_for_something_that_failed_does_not_keep_an_up_from_its_end():
    desired = stack(service("db"), service("web", "db"))
    world = replace(world_after(desired), failures=failed(Verb.START, ResourceId.container("s-db-1")))
    for name in ("s-db-1", "s-web-1"):
        world = changed(world, name, status=Created())
    standing = judge(desired, world)
    assert (standing.starting, [f.resource for f in standing.failures]) == (False, [ResourceId.container("s-db-1")])


def test_an_image_that_cannot_be_compared_fails_the_up_of_a_running_container():
    always = replace(asked(DESIRED, at=100.0), images=(ImageSpec("app", pull_policy="always"),))
    world = replace(UP, images={"app": replace(UP.images["app"], pulled_at=50.0)})
    world = replace(world, failures=failed(Verb.PULL, ResourceId.image("app")))
    for services in ((), ("web",)):
        standing = judge(always, world, services=services)
        assert (standing.starting, [f.resource for f in standing.failures]) == (False, [ResourceId.image("app")])


def test_a_restart_by_policy_is_not_part_of_an_up():
    desired = stack(service("web", restart="always"))
    world = changed(world_after(desired), "s-web-1", status=Exited(1, 101.0, 102.0), restarts=3)
    assert is_up(desired, world)
    assert is_over(judge(desired, world, in_flight=[StartContainer("s-web-1", 4, 4, "")]))
    assert judge(desired, world, in_flight=[StartContainer("s-web-1", 0, 0, "")]).starting


def test_failures_of_unselected_services_do_not_count():
    desired = stack(service("web"), service("other", image="broken"), service("front", "other"))
    world = replace(world_after(desired), failures=failed(Verb.PULL, ResourceId.image("broken")))
    world = changed(world, "s-front-1", status=Created())
    containers = {name: container for name, container in world.containers.items() if name != "s-other-1"}
    world = replace(world, images={"app": world.images["app"]}, containers=containers)
    assert is_over(judge(desired, world, services=["web"]))
    assert len(errors(desired, world, services=["other"])) == 1
    assert [f.resource for f in judge(desired, world, services=["front"]).failures] == [ResourceId.image("broken")]


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
    assert errors(DESIRED, world, wait=True) == ([error] if error else [])
    assert errors(DESIRED, world) == []


def test_a_container_that_will_be_restarted_is_not_lost():
    desired = stack(service("web", restart="always"))
    for code in (0, 1):
        world = changed(world_after(desired), "s-web-1", status=Exited(code, 101.0, 102.0))
        assert judge(desired, world, now=102.0, wait=True).unproven == ("s-web-1",)


def test_a_stop_is_over_when_what_still_runs_cannot_be_stopped():
    stopped = wished(asked(DESIRED, at=200.0), "db", "web", goal=Goal.STOP)
    assert judge_stop(UP, plan(stopped, UP, {}, NOW)).starting
    stuck = replace(UP, failures=failed(Verb.STOP, ResourceId.container("s-web-1"), at=300.0))
    standing = judge_stop(stuck, plan(stopped, stuck, {}, NOW))
    assert (standing.starting, [f.resource for f in standing.failures]) == (False, [ResourceId.container("s-web-1")])
    ended = changed(UP, "s-web-1", status=Exited(137, 100.0, 300.0, stopped=True))
    assert judge_stop(ended, plan(stopped, ended, {}, NOW)).starting
    assert judge_stop(ended, plan(stopped, ended, {}, NOW), services=("web",)) == Standing()


def test_a_down_continues_while_anything_else_can_be_removed():
    down = going_down(DESIRED)
    world = replace(UP, failures=failed(Verb.STOP, ResourceId.container("s-web-1"), at=1000.0))
    standing = judge_down(down, world, plan(down, world, {}, 1001.0), {})
    assert (standing.starting, [f.resource for f in standing.failures]) == (False, [ResourceId.container("s-web-1")])
    other = stack(service("db"), service("web", "db"), service("alone"))
    world = replace(world_after(other), failures=failed(Verb.STOP, ResourceId.container("s-web-1"), at=1000.0))
    down = going_down(other)
    assert judge_down(down, world, plan(down, world, {}, 1001.0), {}).starting


def test_what_went_wrong_with_something_that_is_gone_is_a_failure_of_down():
    down = going_down(DESIRED)
    gone = Observed("s", failures=failed(Verb.REMOVE, ResourceId.network("s_default"), at=1000.0))
    assert [f.error for f in judge_down(down, gone, plan(down, gone, {}, 1001.0), {}).failures] == ["no luck"]
    earlier = Observed("s", failures=failed(Verb.REMOVE, ResourceId.network("s_default"), at=999.0))
    assert judge_down(down, earlier, plan(down, earlier, {}, 1001.0), {}) == Standing()


def test_what_another_stack_uses_does_not_keep_a_down_from_its_end():
    down = going_down(DESIRED)
    failures = failed(Verb.REMOVE, ResourceId.network("s_default"), temporary=True, at=1000.0, in_use=True)
    left = replace(UP, containers={}, failures=failures)
    planned = plan(down, left, {}, 1000.0)
    standing = judge_down(down, left, planned, {})
    assert (standing.starting, [f.in_use for f in standing.failures]) == (False, [True])
    assert planned.wake_at is not None, "it is tried again"


@pytest.mark.parametrize(
    ("restarts", "services", "under_way"), [(0, (), True), (0, ["web"], True), (0, ["db"], False), (1, (), False)]
)
def test_what_is_being_started_shows_at_once_that_up_is_not_done(restarts, services, under_way):
    start = StartContainer("s-web-1", restarts, 0, "it is to run")
    flights = {start.resource: start}
    world = changed(UP, "s-web-1", status=Created())
    assert (
        is_under_way(DESIRED, Layout(DESIRED).specs.get, plan(DESIRED, world, flights, NOW), flights, services)
        is under_way
    )
