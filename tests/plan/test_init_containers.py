"""Init containers (``pre_start``): what they wait for, what waits for them, and when they run again."""

from __future__ import annotations

import pytest

from orchestra.model.container import Endpoint
from orchestra.model.observed import Created, Exited, Network, Running
from orchestra.model.resource import ResourceId
from orchestra.model.wish import Goal, Recreate, Wish
from orchestra.plan.action import AnonymousVolumes, ConnectContainer, RemoveContainer
from orchestra.plan.plan import plan
from orchestra.plan.predict import predict
from orchestra.plan.preview import preview, render_text
from orchestra.record import replace
from tests.plan.stacks import asked, changed, going_down, service, stack, wished
from tests.plan.test_preview import world_after


def initialized(*, version: int = 1, replicas: int = 1, steps: int = 2):
    """A stack of db, and web, which depends on it and has init containers that its replicas share."""
    made = stack(service("db"), service("web", "db", replicas=replicas, config_hash=f"web v{version}"))
    first = next(spec for spec in made.containers if spec.service == "web")
    inits = tuple(
        replace(first, name=f"s-web-pre_start-{step}", index=0, step=step, initializes=first.name)
        for step in range(steps)
    )
    specs = (replace(spec, pre_start=inits) if spec.service == "web" else spec for spec in made.containers)
    return replace(made, containers=tuple(specs))


WEB = initialized()
UP = world_after(WEB)
FIRST, SECOND = "s-web-pre_start-0", "s-web-pre_start-1"


def ready(desired, world, now=500.0):
    return [f"{action.verb} {action.resource.name}" for action in plan(desired, world, {}, now).ready]


def test_they_run_one_after_the_other_between_dependencies_and_the_first_start():
    assert render_text(preview(initialized(replicas=2), replace(UP, containers={}), 100.0)) == (
        "1.  create container/s-db-1             does not exist\n"
        "    create container/s-web-1            does not exist\n"
        "    create container/s-web-2            does not exist\n"
        "2.  start  container/s-db-1             created\n"
        "3.  create container/s-web-pre_start-0  does not exist\n"
        "4.  start  container/s-web-pre_start-0  before s-web-1 starts for the first time\n"
        "5.  create container/s-web-pre_start-1  does not exist\n"
        "6.  start  container/s-web-pre_start-1  before s-web-1 starts for the first time\n"
        "7.  start  container/s-web-1            created; db has started\n"
        "    start  container/s-web-2            created; db has started\n"
    )


def test_a_running_one_is_waited_for():
    world = changed(changed(UP, "s-web-1", status=Created()), FIRST, status=Running(1, 200.0))
    (blocked,) = plan(WEB, world, {}, 500.0).blocked
    assert (blocked.reason, blocked.waits_for) == (
        "waits for s-web-pre_start-0 to complete",
        (ResourceId.container(FIRST),),
    )


def test_one_that_failed_fails_the_service_until_it_is_asked_for_again():
    world = changed(changed(UP, "s-web-1", status=Created()), FIRST, status=Exited(3, 150.0, 160.0))
    after = plan(WEB, world, {}, 500.0)
    assert after.ready == ()
    assert [(each.resource.name, each.error, each.hint) for each in after.failed] == [
        (
            FIRST,
            'service "web" pre_start[0] exited with code 3',
            "orchestra logs web shows what s-web-pre_start-0 wrote",
        )
    ]
    assert ResourceId.container("s-web-1") in after.hopeless
    assert ready(asked(WEB, at=200.0), world) == [f"remove {FIRST}"]
    alone = replace(WEB, apart={"s-web-1": Wish(200.0, recreate=Recreate.NEVER)})
    assert ready(alone, world) == [f"remove {FIRST}"]


@pytest.mark.parametrize(
    ("desired", "expected"),
    [
        (asked(WEB, at=400.0), ["start s-web-1"]),
        (initialized(replicas=2), ["start s-web-1", "create s-web-2"]),
        (wished(WEB, "web", goal=Goal.STOP), []),
    ],
    ids=["up or start", "scale", "stop"],
)
def test_those_that_have_completed_do_not_run_again(desired, expected):
    world = changed(UP, "s-web-1", status=Exited(0, 200.0, 300.0, stopped=True))
    assert ready(desired, world) == expected


def test_they_run_again_before_a_container_that_was_created_anew():
    world = changed(UP, "s-web-1", status=Created(), created_at=400.0)
    assert ready(WEB, world) == [f"remove {FIRST}"]
    (removal,) = plan(WEB, world, {}, 500.0).ready
    assert removal.volumes is AnonymousVolumes.HAND_ON
    assert ready(initialized(version=2), changed(UP, "s-web-1", status=Created(), config_hash="web v2")) == [
        f"remove {FIRST}"
    ]


def test_it_runs_again_for_another_container_whatever_the_clock_said():
    """That is set back between two containers, and an earlier version of Orchestra has not written down for which."""
    known = changed(changed(UP, "s-web-1", id="one", status=Created(), created_at=400.0), SECOND, created_at=401.0)
    first = changed(known, FIRST, made_with={"s-web-1": "one"}, created_at=50.0)
    assert f"remove {FIRST}" not in ready(WEB, first)
    assert ready(WEB, changed(first, "s-web-1", id="two", created_at=40.0)) == [f"remove {FIRST}"]
    unknown = changed(known, FIRST, made_with={}, created_at=401.0)
    assert ready(WEB, unknown) == ["start s-web-1"]


@pytest.mark.parametrize("left", [Created(), Running(1, 210.0), Exited(0, 210.0, 220.0)], ids=["made", "runs", "ended"])
def test_those_after_one_that_was_removed_run_again_too(left):
    """As a ``down`` does that another ``up`` has cut short."""
    world = changed(changed(UP, "s-web-1", status=Created()), SECOND, status=left)
    world = replace(world, containers={name: seen for name, seen in world.containers.items() if name != FIRST})
    (blocked,) = (each for each in plan(WEB, world, {}, 500.0).blocked if each.resource.name == FIRST)
    assert blocked.reason == f"waits for {SECOND} to be removed, which run after it"
    told = [f"{action.verb} {action.resource.name}" for step in preview(WEB, world, 500.0).rounds for action in step]
    assert told == [
        *([f"stop {SECOND}"] if isinstance(left, Running) else []),
        f"remove {SECOND}",
        f"create {FIRST}",
        f"start {FIRST}",
        f"create {SECOND}",
        f"start {SECOND}",
        "start s-web-1",
    ]


def test_replicas_that_differ_share_the_init_containers_of_the_first():
    """One that went back has another definition than one that was never there before."""
    first, second = initialized(replicas=2), initialized(replicas=2, version=2)
    mixed = replace(first, containers=(*first.containers[:2], second.containers[2]))
    assert [spec.config_hash for spec in mixed.containers] == ["db v1", "web v1", "web v2"]
    for desired in (mixed, replace(mixed, containers=mixed.containers[::-1])):
        world = changed(world_after(first), "s-web-1", status=Created())
        world = changed(world, "s-web-2", status=Created(), config_hash="web v2")
        assert ready(desired, world) == ["start s-web-1", "start s-web-2"]
        again = changed(world, FIRST, config_hash="web v2")
        assert ready(desired, again) == [f"remove {FIRST}"]


def test_no_replica_starts_while_the_container_that_they_ran_before_is_being_removed():
    desired = initialized(replicas=2)
    world = changed(world_after(desired), "s-web-2", status=Created())
    removal = RemoveContainer("s-web-1", AnonymousVolumes.HAND_ON, "", replaces=True)
    assert [action.resource.name for action in plan(desired, world, {}, 500.0).ready] == ["s-web-2"]
    after = plan(desired, world, {removal.resource: removal}, 500.0)
    assert after.ready == ()
    assert [blocked.reason for blocked in after.blocked if blocked.resource.name == "s-web-2"] == [
        "waits for s-web-1 to be created, whose init containers it shares"
    ]


def test_those_that_no_container_waits_for_are_removed_and_leave_shared_volumes():
    fewer = initialized(steps=1)
    (removal,) = plan(fewer, UP, {}, 500.0).ready
    assert (removal.resource.name, removal.reason) == (SECOND, "no container waits for it any more")
    assert removal.volumes is AnonymousVolumes.HAND_ON
    assert {f"remove {FIRST}", f"remove {SECOND}"} <= set(ready(going_down(WEB), UP, 1100.0))


def test_a_stop_ends_one_that_runs():
    world = changed(changed(UP, "s-web-1", status=Created()), FIRST, status=Running(1, 200.0))
    assert ready(wished(WEB, "web", goal=Goal.STOP), world) == [f"stop {FIRST}"]
    assert ready(wished(WEB, "web", goal=Goal.LEAVE), world) == []


def test_one_on_a_network_that_changed_is_removed_once():
    desired = asked(WEB, at=400.0)
    off = tuple(replace(spec, endpoints=()) for spec in desired.containers)
    desired = replace(desired, containers=off, networks=(replace(desired.networks[0], config_hash="net v2"),))
    world = changed(UP, "s-web-1", status=Created(), created_at=300.0, networks=())
    world = changed(world, "s-db-1", networks=())
    assert ready(desired, world).count(f"remove {FIRST}") == 1
    after = preview(desired, world, 500.0).observed
    assert after.networks["s_default"].config_hash == "net v2"
    assert isinstance(after.containers["s-web-1"].status, Running)


def test_a_network_on_which_a_stopped_one_stays_is_not_waited_for():
    desired = wished(asked(WEB, at=400.0, remove_orphans=True), "db", "web", goal=Goal.STOP)
    here = replace(desired, networks=(), containers=tuple(replace(s, endpoints=()) for s in desired.containers))
    stopped = preview(desired, UP, 450.0).observed
    verdict = plan(here, replace(stopped, containers={FIRST: stopped.containers[FIRST]}), {}, 500.0)
    assert (verdict.ready, verdict.converged) == ((), True)


def test_one_that_has_run_leaves_a_network_that_is_made_anew_if_its_service_does():
    """It need not be removed for that, unless it is only made anew together with the container that it initializes."""
    networks = (*WEB.networks, replace(WEB.networks[0], key="back", name="s_back", config_hash="new"))
    desired = replace(WEB, networks=networks)
    world = replace(UP, networks={**UP.networks, "s_back": Network("s_back", config_hash="old")})
    held = predict(world, ConnectContainer(FIRST, Endpoint("s_back", config_hash="v1"), ""), 150.0)
    assert ready(desired, held) == [f"disconnect {FIRST}"]
    assert ready(desired, changed(held, FIRST, config_hash="web v0")) == [f"remove {FIRST}"]
