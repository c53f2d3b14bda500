"""Hooks: what a plan makes of ``post_start`` and ``pre_stop``, and what waits for them."""

from __future__ import annotations

import pytest

from orchestra.model.health import Health
from orchestra.model.hook import Hook
from orchestra.model.observed import Created, Exited, Failure, Running, Verb
from orchestra.model.resource import ResourceId
from orchestra.model.wish import Goal, Recreate
from orchestra.plan.action import RunHooks, StopContainer
from orchestra.plan.desire import restart, stop
from orchestra.plan.plan import plan
from orchestra.plan.predict import predict_all
from orchestra.plan.preview import preview, render_text
from orchestra.plan.supersede import is_superseded
from orchestra.record import replace
from tests.plan.stacks import asked, changed, going_down, service, stack, wished, with_run
from tests.plan.test_preview import world_after

HELLO, AGAIN, BYE = Hook(("hello",)), Hook(("again",)), Hook(("bye",))
DB = service("db", post_start=(HELLO, AGAIN), pre_stop=(BYE,), stop_grace_period=5.0)
WEB = stack(DB, service("web", "db"))
UP = world_after(WEB)
HERE = ResourceId.container("s-db-1")


def ready(desired, world, now=500.0):
    return plan(desired, world, {}, now).ready


def test_a_preview_shows_hooks_and_what_waits_for_them():
    up = render_text(preview(WEB, replace(UP, containers={}), 100.0))
    assert up == (
        "1.  create container/s-db-1   does not exist\n"
        "    create container/s-web-1  does not exist\n"
        "2.  start  container/s-db-1   created\n"
        "3.  hook   container/s-db-1   has started: its 2 post_start hooks\n"
        "4.  start  container/s-web-1  created; db has started\n"
    )
    down = render_text(preview(going_down(WEB), UP, 1000.0))
    assert "stop   container/s-db-1   the stack goes down; first its pre_stop hook\n" in down


def test_hooks_go_on_where_another_supervisor_stopped():
    (action,) = ready(WEB, changed(UP, "s-db-1", hooks_done=1))
    assert isinstance(action, RunHooks)
    assert (action.hooks, action.done) == ((HELLO, AGAIN), 1)
    assert predict_all(UP, [action], 500.0).containers["s-db-1"].hooks_left == ()


@pytest.mark.parametrize(
    ("restarts", "done", "left"),
    [(0, 2, True), (0, 0, True), (1, 2, False), (1, 1, True)],
    ids=["start", "first start", "restart by policy", "restart by policy after an end amid the hooks"],
)
def test_hooks_belong_to_the_start_by_a_command(restarts, done, left):
    ended = changed(UP, "s-db-1", status=Exited(0, 1.0, 2.0), hooks_done=done)
    (start,) = [each for each in ready(asked(WEB, at=400.0), ended) if each.resource == HERE]
    world = predict_all(ended, [replace(start, restarts=restarts)], 500.0)
    assert bool(world.containers["s-db-1"].hooks_left) is left


def test_what_depends_on_it_waits_for_its_hooks_and_fails_with_them():
    world = changed(changed(UP, "s-web-1", status=Created()), "s-db-1", hooks_done=0)
    (blocked,) = plan(WEB, world, {}, 500.0).blocked
    assert blocked.reason == "waits for s-db-1 to run its post_start hooks"
    failure = Failure(HERE, Verb.HOOK, "db hook exited with status 3", temporary=False, attempts=1, at=200.0)
    failed = plan(WEB, replace(world, failures={HERE: failure}), {}, 500.0)
    assert failed.ready == ()
    assert [each.error for each in failed.failed] == ["db hook exited with status 3"]
    assert ResourceId.container("s-web-1") in failed.hopeless
    assert isinstance(ready(asked(WEB, at=300.0), replace(world, failures={HERE: failure}))[0], RunHooks)


def test_a_paused_container_runs_no_hooks_and_is_stopped_without():
    paused = changed(UP, "s-db-1", status=Running(1, 1.0, paused=True), hooks_done=0)
    assert "is paused, so its post_start hooks cannot run" in [b.reason for b in plan(WEB, paused, {}, 500.0).blocked]
    alone = replace(paused, containers={"s-db-1": paused.containers["s-db-1"]})
    assert stops(wished(stack(DB), "db", goal=Goal.STOP), alone)["s-db-1"].hooks == ()


def stops(desired, world):
    return {each.name: each for each in ready(desired, world) if isinstance(each, StopContainer)}


def replaced():
    return wished(asked(stack(DB), at=400.0), "db", at=400.0, recreate=Recreate.ALWAYS)


@pytest.mark.parametrize(
    ("desired", "timeout", "hooks"),
    [
        (stop(stack(DB), ["db"], None, 400.0), 5.0, (BYE,)),
        (stop(stack(DB), ["db"], 0.0, 400.0), 0.0, ()),
        (restart(stack(DB), ["db"], 2.0, 400.0), 2.0, (BYE,)),
        (going_down(stack(DB)), 5.0, (BYE,)),
        (going_down(stack(DB), stop_timeout=0.0), 0.0, ()),
        (replaced(), 5.0, (BYE,)),
        (replace(asked(stack(DB), at=400.0), containers=()), 5.0, (BYE,)),
    ],
    ids=["stop", "stop at once", "restart", "down", "down at once", "up that replaces", "scale to 0"],
)
def test_every_command_that_stops_runs_pre_stop_first_if_there_is_time(desired, timeout, hooks):
    world = changed(world_after(stack(DB)), "s-db-1", status=Running(1, 1.0), created_at=1.0)
    world = predict_all(world, [each for each in ready(desired, world) if each.verb == "check"], 500.0)
    action = stops(desired, world)["s-db-1"]
    assert (action.timeout, action.hooks) == (timeout, hooks)


def test_a_stop_that_another_supervisor_began_runs_no_hooks_again():
    world = changed(UP, "s-db-1", status=Running(1, 1.0, Health(), stopping=True))
    assert stops(stop(stack(DB), ["db"], None, 400.0), world)["s-db-1"].hooks == ()


def test_hooks_are_given_up_for_what_ends_their_run():
    action = RunHooks("s-db-1", (HELLO,), 0, "db v1", 300.0, "")
    assert not is_superseded(action, asked(WEB, at=400.0))
    assert is_superseded(action, going_down(WEB))
    assert is_superseded(action, stop(WEB, ["db"], None, 400.0))
    assert is_superseded(action, restart(WEB, ["db"], None, 400.0))
    assert not is_superseded(action, restart(WEB, ["db"], None, 200.0))
    assert is_superseded(action, replaced())
    assert is_superseded(replace(action, config_hash="db v0"), WEB)


def test_the_container_of_a_one_off_command_runs_its_hooks_too():
    desired = with_run(stack(DB), "db", started=True)
    world = world_after(stack(DB))
    own = replace(world.containers["s-db-1"], name="s-db-run", one_off=True, hooks_done=0)
    (action,) = ready(desired, replace(world, containers={**world.containers, "s-db-run": own}))
    assert (action.verb, action.resource) == ("hook", ResourceId.container("s-db-run"))
