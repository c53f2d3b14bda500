"""Replicas that are replaced a few at a time."""

from __future__ import annotations

import re

import pytest

from orchestra.model.container import Endpoint, Port
from orchestra.model.desired import Earlier
from orchestra.model.health import Health, HealthStatus
from orchestra.model.observed import Check, Exited, Observed, Running, Verb
from orchestra.model.sharing import Host
from orchestra.model.update import Ending, Failing, FailureAction, Order, Update
from orchestra.model.wish import Goal, Wish
from orchestra.plan.action import DrainContainer
from orchestra.plan.plan import plan
from orchestra.plan.predict import predict_all
from orchestra.plan.preview import preview
from orchestra.plan.stand_ins import with_stand_ins
from orchestra.record import replace
from tests.plan.stacks import changed, service, stack
from tests.plan.test_preview import lines, planned, world_after


def rolled(update, **more):
    before = stack(service("web", replicas=3, **more))
    return planned(
        stack(service("web", replicas=3, config_hash="v2", update=update, **more), at=200.0), world_after(before)
    )


def rounds_of_stops(text):
    return [line.split(".")[0] if "." in line[:4] else "" for line in text.splitlines() if "stop " in line]


def replaced(index, number, why="its definition changed"):
    """The steps by which a replica is replaced, from this round on."""
    return f"""
        {number:<3} drain  container/s-web-{index}  before it is stopped: {why}
        {number + 1:<3} stop   container/s-web-{index}  to be replaced: {why}
        {number + 2:<3} remove container/s-web-{index}  to be replaced: {why}
        {number + 3:<3} create container/s-web-{index}  does not exist
        {number + 4:<3} start  container/s-web-{index}  created"""


def dotted(text):
    """Rounds as a preview numbers them."""
    return lines(re.sub(r"(?m)^( +)(\d+)( *) (?=[a-z])", lambda m: f"{m[1]}{m[2] + '.':<4}", text) + "\n")


def test_one_replica_at_a_time():
    assert rolled(Update()) == dotted(replaced(1, 1) + replaced(2, 6) + replaced(3, 11))


def test_two_at_a_time_and_all_at_once():
    assert rounds_of_stops(rolled(Update(2))) == ["2", "", "7"]
    assert rounds_of_stops(rolled(Update(0))) == rounds_of_stops(rolled(None)) == ["1", "", ""]


def test_the_next_one_waits_for_health_and_for_the_delay():
    told = rolled(Update(1, 30.0), healthy=True)
    assert told.index("start  container/s-web-1") < told.index("stop   container/s-web-2")
    assert told.count("stop ") == 3


def test_what_a_paused_update_has_left_alone_does_not_go_with_its_dependency():
    """Once stopped, it would come back as what has failed."""
    before = stack(service("db"), service("web", "db!", update=Update()))
    after = stack(service("db"), service("web", "db!", config_hash="v2", update=Update()), at=200.0)
    after = replace(after, failing={"web": Failing(Ending.PAUSED, 210.0, "")})
    world = changed(world_after(before), "s-db-1", created_at=300.0)
    (stopped,) = plan(before, world, {}, 310.0).ready
    assert (stopped.verb, stopped.resource.name, stopped.reason) == (Verb.STOP, "s-web-1", "s-db-1 was replaced")
    check = Check("v2", world.images["app"].digest, 201.0)
    paused = plan(after, replace(world, checked={"s-web-1": check}), {}, 400.0)
    assert paused.ready == ()
    assert [blocked.reason for blocked in paused.blocked] == ["its definition changed; the update of web is paused"]


def asked_again(update, *, replicas=2, failing=None, **fields):
    """An update to v2 of which the last command has asked once more, when every container was new already."""
    before, more = stack(service("web", replicas=2)), {"replicas": replicas, "config_hash": "v2", "update": update}
    world = world_after(stack(service("web", **more, **fields), at=150.0))
    ways_back = tuple(Earlier(spec, "") for spec in before.containers)
    after = replace(stack(service("web", **more, **fields), at=200.0), earlier=ways_back, failing=failing or {})
    return with_stand_ins(after, world, 300.0), world


@pytest.mark.parametrize("action", list(FailureAction))
@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("replicas", [2, 3])
def test_an_update_is_under_way_until_it_is_known_whether_the_new_containers_are_healthy(order, action, replicas):
    update = Update(2, order=order, monitor=0.0, failure_action=action)
    desired, world = asked_again(update, replicas=replicas, healthy=True)
    for spec in desired.containers:
        world = changed(world, spec.name, status=Running(1, 250.0, Health(HealthStatus.STARTING)))
    waiting = plan(desired, world, {}, 300.0)
    assert {blocked.reason for blocked in waiting.blocked} == {"waits to be healthy, which its update needs"}
    assert (len(waiting.blocked), waiting.ready, waiting.updated, waiting.converged) == (replicas, (), (), False)
    paused = changed(world, "s-web-1", status=Running(1, 250.0, Health(HealthStatus.STARTING), paused=True))
    assert "s-web-1" not in [blocked.resource.name for blocked in plan(desired, paused, {}, 300.0).blocked]
    for verdict in (HealthStatus.HEALTHY, HealthStatus.UNHEALTHY):
        for spec in desired.containers:
            world = changed(world, spec.name, status=Running(1, 250.0, Health(verdict)))
        over = plan(desired, world, {}, 300.0)
        assert (over.ready, over.blocked, over.updated, over.converged) == ((), (), ("web",), True)


def test_an_update_asked_for_again_ends_when_the_monitor_time_of_the_last_container_does():
    desired, world = asked_again(Update(monitor=60.0))
    world = changed(world, "s-web-2", status=Running(1, 290.0))
    waiting = plan(desired, world, {}, 300.0)
    assert (waiting.wake_at, waiting.converged, waiting.updated) == (350.0, False, ())
    assert plan(desired, world, {}, 350.0).updated == ("web",)


@pytest.mark.parametrize("goal", [Goal.STOP, Goal.LEAVE])
@pytest.mark.parametrize("order", list(Order))
def test_an_update_goes_on_without_a_replica_that_a_command_has_stopped_alone(order, goal):
    before = stack(service("web", replicas=3))
    update = Update(order=order, monitor=0.0)
    desired = stack(service("web", replicas=3, config_hash="v2", update=update), at=200.0)
    desired = replace(desired, apart={"s-web-2": Wish(210.0, goal)}, earlier=(Earlier(before.containers[0], ""),))
    world = changed(world_after(before), "s-web-2", status=Exited(0, 100.0, 211.0, stopped=True))
    outlook = preview(desired, world, 300.0)
    hashes = {name: seen.config_hash for name, seen in outlook.observed.containers.items()}
    assert hashes == {"s-web-1": "v2", "s-web-2": "web v1", "s-web-3": "v2"}
    assert plan(desired, outlook.observed, {}, 400.0).updated == ("web",)
    stopped = {spec.name: Wish(210.0, goal) for spec in desired.containers}
    assert plan(replace(desired, apart=stopped), outlook.observed, {}, 400.0).updated == ()


def test_nothing_is_waited_for_once_an_update_is_paused():
    desired, world = asked_again(Update(monitor=0.0), healthy=True, failing={"web": Failing(Ending.PAUSED, 260.0, "")})
    world = changed(world, "s-web-1", status=Running(1, 250.0, Health(HealthStatus.STARTING)))
    assert plan(desired, world, {}, 300.0).converged


START_FIRST = Update(order=Order.START_FIRST)


def test_a_stand_in_runs_before_anything_is_stopped():
    over = "the update of web is over"
    assert rolled(START_FIRST) == dotted(
        """
        1   create container/s-web-4  stands in while containers of web are replaced
        2   start  container/s-web-4  created"""
        + replaced(1, 3)
        + replaced(2, 8)
        + replaced(3, 13)
        + f"""
        18  drain  container/s-web-4  before it is stopped: {over}
        19  stop   container/s-web-4  {over}
        20  remove container/s-web-4  {over}"""
    )


def test_a_stand_in_stays_while_a_replica_is_being_drained_that_is_as_it_should_be_again():
    """Another command has asked for what was, too late: a container that has given up its names is replaced."""
    before = stack(service("web", update=START_FIRST))
    world = world_after(before)
    new = stack(service("web", config_hash="v2", update=START_FIRST), at=200.0)
    check = {"s-web-1": Check("v2", world.images["app"].digest, 201.0)}
    world = replace(world, checked=check)
    for moment in (202.0, 203.0):
        asked = with_stand_ins(new, world, moment)
        world = predict_all(world, plan(asked, world, {}, moment).ready, moment)
    (drain,) = plan(with_stand_ins(new, world, 210.0), world, {}, 210.0).ready
    assert isinstance(drain, DrainContainer)
    back = replace(before, request=replace(before.request, at=211.0))
    assert with_stand_ins(back, world, 212.0) is back
    (stand_in,) = with_stand_ins(back, world, 212.0, None, {drain.resource: drain}).containers[1:]
    assert stand_in.name == "s-web-2"
    drained = predict_all(world, [drain], 212.0)
    assert len(with_stand_ins(back, drained, 213.0).containers) == 2


def test_a_stand_in_has_every_host_port_and_names_of_its_own():
    web = service("web", replicas=2, config_hash="v2", update=START_FIRST)
    specs = [
        replace(
            spec,
            ports=(Port(80, 8080 + spec.index), Port(81)),
            labels={"com.docker.compose.container-number": str(spec.index)},
            endpoints=(Endpoint("s_default", aliases=("web", spec.name)),),
        )
        for spec in stack(web).containers
    ]
    desired = replace(stack(web, at=200.0), containers=tuple(specs))
    world = world_after(stack(service("web", replicas=2)))
    checked = {spec.name: Check(spec.config_hash, world.images["app"].digest, 201.0) for spec in specs}
    (stand_in,) = with_stand_ins(desired, replace(world, checked=checked), 202.0).containers[2:]
    assert stand_in.name == "s-web-3"
    assert [port.published for port in stand_in.ports] == [8081, 8082]
    assert stand_in.labels == {"com.docker.compose.container-number": "3"}
    assert stand_in.endpoints[0].aliases == ("web", "s-web-3")


def test_what_cannot_run_beside_its_successor_is_stopped_first():
    told = rolled(START_FIRST, network_mode=Host())
    assert "s-web-4" not in told
    reason = "its definition changed; stop-first, since it uses a network namespace that is not its own"
    assert f"stop   container/s-web-1  to be replaced: {reason}" in told


def test_without_an_update_under_way_nothing_stands_in():
    desired = stack(service("web", replicas=3, update=START_FIRST))
    assert planned(desired, world_after(desired)) == "nothing to do\n"
    assert "s-web-4" not in planned(desired, Observed("s"))
