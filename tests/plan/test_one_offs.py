"""Containers of one-off commands: planned once, and no business of their services."""

from __future__ import annotations

import pytest

from orchestra.errors import UserError
from orchestra.model.observed import Created, Exited, Failure, Running, Verb
from orchestra.model.request import Changes
from orchestra.model.resource import ResourceId
from orchestra.model.wish import Goal, Recreate
from orchestra.plan.action import AnonymousVolumes, CreateContainer, RemoveContainer, RemoveNetwork, StartContainer
from orchestra.plan.desire import desire, stop
from orchestra.plan.done import is_down, judge_run, judge_stop, judge_up
from orchestra.plan.one_offs import after_runs, begin_run, without_lost_runs, without_run
from orchestra.plan.plan import plan
from orchestra.plan.predict import predict_all
from orchestra.plan.preview import preview
from orchestra.plan.removal import orphans
from orchestra.plan.selection import with_dependencies
from orchestra.record import replace
from tests.plan.stacks import asked, changed, going_down, service, stack, wished, with_run

RUN = "s-web-run"


def up(*services):
    """A stack and a world in which everything runs."""
    desired = stack(*services)
    return desired, preview(desired, preview_world(), 100.0).observed


def preview_world():
    from orchestra.model.observed import Observed

    return Observed("s")


def settled(desired, world):
    """The world when nothing is left to be done, and what was done of the one-off container."""
    result = preview(desired, world, 2000.0)
    actions = [action for step in result.rounds for action in step]
    return result.observed, [action for action in actions if action.resource.name == RUN]


def test_it_is_created_and_started_once_its_dependencies_are_ready():
    desired, world = up(service("db", healthy=True), service("web", "db:healthy"))
    world = changed(world, "s-db-1", status=Running(0, 100.0))
    desired = with_run(desired, "web")
    verdict = plan(desired, world, {}, 200.0)
    assert [action for action in verdict.ready if action.resource.name == RUN] == [
        CreateContainer(desired.container(RUN), "", "does not exist")
    ]
    world = predict_all(world, verdict.ready, 200.0)
    verdict = plan(desired, world, {}, 201.0)
    assert [blocked.reason for blocked in verdict.blocked] == ["waits for s-db-1 to be healthy"]
    alone = with_run(stack(service("db", healthy=True), service("web", "db:healthy")), "web", alone=True)
    assert StartContainer(RUN, 0, 0, "created") in plan(alone, world, {}, 201.0).ready


def test_when_it_has_ended_it_stays_or_is_removed_with_its_anonymous_volumes():
    desired, world = up(service("web", restart="always"))
    for remove in (False, True):
        asked_for = with_run(desired, "web", remove_when_ended=remove)
        begun, _ = settled(asked_for, world)
        early = changed(begun, RUN, status=Exited(1, 200.0, 201.0))
        assert plan(asked_for, early, {}, 300.0).ready == ()
        asked_for = after_runs(asked_for, begun)
        assert isinstance(begun.containers[RUN].status, Running)
        assert begun.containers[RUN].one_off
        ended = changed(begun, RUN, status=Exited(1, 200.0, 201.0))
        ready = plan(asked_for, ended, {}, 300.0).ready
        removal = RemoveContainer(RUN, AnonymousVolumes.DELETE, "asked to be removed at its end")
        assert ready == ((removal,) if remove else ())


def test_one_that_was_started_and_is_gone_is_never_made_again():
    desired, world = up(service("web"))
    begun, _ = settled(with_run(desired, "web"), world)
    noted = after_runs(with_run(desired, "web"), begun)
    assert noted.container(RUN).one_off.started
    assert after_runs(noted, begun) is noted
    assert plan(noted, world, {}, 300.0).ready == ()
    forgotten = after_runs(noted, world)
    assert (forgotten.container(RUN), forgotten.finished) == (None, (RUN,))
    again = with_run(desired, "web")
    assert begin_run(forgotten, again, RUN, Changes(), 300.0, asked_at=100.0) is forgotten


@pytest.mark.parametrize(
    "changes", [Changes(), Changes(services=("web",), named=("web",)), Changes(recreate=Recreate.ALWAYS)]
)
def test_up_leaves_it_alone(changes):
    desired, world = up(service("db"), service("web", "db"))
    running, _ = settled(with_run(desired, "web"), world)
    new = stack(service("db"), service("web", "db", config_hash="web v2"))
    wanted = desire(with_run(desired, "web"), new, changes, 3000.0)
    assert wanted.container(RUN) is not None
    after, done = settled(wanted, running)
    assert done == []
    assert after.containers[RUN] == running.containers[RUN]
    assert after.containers["s-web-1"].config_hash == "web v2"


def test_no_wish_of_its_service_concerns_it():
    desired, world = up(service("web"))
    running, _ = settled(with_run(desired, "web"), world)
    asked_for = with_run(desired, "web")
    for wanted in (stop(asked_for, ["web"], None, 3000.0), wished(asked_for, "web", at=3000.0, restart=True)):
        after, done = settled(wanted, running)
        assert done == []
        assert after.containers[RUN] == running.containers[RUN]
    stopped = changed(world, "s-web-1", status=Exited(0, 100.0, 200.0, stopped=True))
    resting = with_run(wished(desired, "web", goal=Goal.STOP, at=3000.0), "web")
    after, _ = settled(resting, stopped)
    assert isinstance(after.containers[RUN].status, Running)
    assert not judge_stop(after, plan(resting, after, {}, 4000.0)).starting


def test_it_is_neither_orphan_nor_replica():
    desired, world = up(service("db"), service("web", "db!"))
    running, _ = settled(with_run(desired, "web"), world)
    none = asked(with_run(stack(service("db"), service("web", replicas=1)), "web"), 3000.0, remove_orphans=True)
    none = replace(none, containers=tuple(spec for spec in none.containers if spec.name != "s-web-1"))
    after, done = settled(none, running)
    assert done == []
    assert set(after.containers) == {"s-db-1", RUN}
    undeclared = replace(none, services=("db",))
    assert orphans(undeclared, running) == ("s-web-1",)
    ended = changed(running, RUN, status=Exited(0, 150.0, 160.0))
    assert orphans(undeclared, ended) == ("s-web-1", RUN)
    assert RUN in settled(undeclared, running)[0].containers
    # Restarting a dependency with ``restart: true`` takes replicas along, not commands.
    again = stack(service("db", config_hash="db v2"), service("web", "db!"), at=3000.0)
    assert settled(with_run(again, "web"), running)[1] == []


def test_one_that_has_ended_is_removed_with_the_orphans():
    desired, world = up(service("db"), service("web", "db"))
    running, _ = settled(with_run(desired, "web"), world)
    ended = changed(running, RUN, status=Exited(0, 150.0, 160.0))
    again = asked(after_runs(with_run(desired, "web"), ended), 3000.0, remove_orphans=True)
    assert settled(again, ended)[1] == [
        RemoveContainer(RUN, AnonymousVolumes.LEAVE, "its command has ended, and orphans are removed")
    ]
    later = changed(running, RUN, status=Exited(0, 150.0, 3001.0))
    assert settled(again, later)[1] == []
    assert settled(asked(again, 3000.0), ended)[1] == []


def test_down_stops_it_before_what_it_depends_on_and_removes_it():
    desired, world = up(service("db"), service("web", "db"))
    running, _ = settled(with_run(desired, "web"), changed(world, "s-web-1", status=Exited(0, 100.0, 150.0)))
    ready = {str(action.resource): action.verb for action in plan(going_down(desired), running, {}, 3000.0).ready}
    assert ready[f"container/{RUN}"] == "stop"
    assert "container/s-db-1" not in ready
    after, _ = settled(going_down(desired), running)
    assert after.containers == {}
    assert is_down(going_down(desired), after)


def test_a_network_with_a_new_definition_waits_for_it():
    desired, world = up(service("web"))
    running, _ = settled(with_run(desired, "web"), world)
    new = replace(with_run(desired, "web"), networks=(replace(desired.networks[0], config_hash="net v2"),))
    new = after_runs(asked(new, 3000.0), running)
    verdict = plan(new, running, {}, 3000.0)
    assert verdict.ready == ()
    assert RUN in verdict.failed[0].error
    ended = changed(running, RUN, status=Exited(0, 100.0, 150.0))
    after, _ = settled(new, ended)
    assert after.networks["s_default"].config_hash == "net v2"
    assert set(after.containers) == {"s-web-1"}
    assert RemoveNetwork("s_default", "its definition changed") in [
        action for step in preview(new, ended, 3000.0).rounds for action in step
    ]


def test_it_is_not_made_on_a_network_that_is_going_to_be_replaced():
    desired, world = up(service("db", image="data"), service("web"))
    world = replace(world, images={name: image for name, image in world.images.items() if name != "data"})
    new = replace(with_run(desired, "web"), networks=(replace(desired.networks[0], config_hash="net v2"),))
    new = asked(new, 3000.0)
    verdict = plan(new, world, {}, 3000.0)
    assert {str(action.resource) for action in verdict.ready} == {"image/data"}
    assert f"container/{RUN}" in {str(blocked.resource) for blocked in verdict.blocked}
    after, steps = settled(new, world)
    assert after.networks["s_default"].config_hash == "net v2"
    assert [type(step) for step in steps] == [CreateContainer, StartContainer]
    lost = Failure(ResourceId.image("data"), Verb.PULL, "not found", temporary=False, attempts=1, at=3000.0)
    _, steps = settled(new, replace(world, failures={lost.resource: lost}))
    assert [type(step) for step in steps] == [CreateContainer, StartContainer]


def test_asking_for_a_command_brings_up_its_dependencies_and_nothing_else():
    full = stack(service("db", replicas=2), service("web", "db"), service("other"))
    new = with_run(full, "web")
    new = replace(new, containers=tuple(s for s in new.containers if s.service == "db" or s.one_off))
    current = replace(full, containers=(), networks=(), services=())
    wanted = begin_run(current, new, RUN, Changes(services=("db",), named=("web",)), 500.0, asked_at=500.0)
    assert [spec.name for spec in wanted.containers] == ["s-db-1", "s-db-2", RUN]
    assert wanted.container(RUN).one_off.at == 500.0
    lone = replace(new, containers=tuple(s for s in new.containers if s.one_off))
    wanted = begin_run(full, lone, RUN, Changes(named=("web",)), 500.0, asked_at=500.0)
    assert {spec.name for spec in wanted.containers} == {*(s.name for s in full.containers), RUN}
    assert wanted.networks == full.networks
    assert all(wanted.wish(name) == full.wish(name) for name in full.services)
    assert with_dependencies(wanted, ["web"]) == {"web", "db"}


def test_a_name_is_taken_once_and_a_request_is_heard_once():
    desired, _ = up(service("web"))
    new = with_run(desired, "web")
    wanted = begin_run(desired, new, RUN, Changes(), 500.0, asked_at=500.0)
    assert begin_run(wanted, new, RUN, Changes(), 600.0, asked_at=500.0) is wanted
    with pytest.raises(UserError, match="in use by another container"):
        begin_run(wanted, with_run(desired, "web", id="another"), RUN, Changes(), 600.0, asked_at=600.0)
    down = going_down(desired, at=700.0)
    assert begin_run(down, new, RUN, Changes(), 800.0, asked_at=600.0) is down


def test_what_cannot_be_started_is_judged_without_waiting_and_fails_no_up():
    desired, world = up(service("db", healthy=True), service("web", "db:healthy"))
    from orchestra.model.health import Health, HealthStatus

    world = changed(world, "s-db-1", status=Running(0, 100.0, Health(HealthStatus.UNHEALTHY, 3, 150.0)))
    asked_for = with_run(desired, "web")
    world = predict_all(world, plan(asked_for, world, {}, 200.0).ready, 200.0)
    verdict = plan(asked_for, world, {}, 201.0)
    standing = judge_run(asked_for, world, verdict, RUN)
    assert "s-db-1 is unhealthy" in standing.failures[0].error
    assert judge_up(asked_for, world, verdict, {}, 201.0).failures == ()
    given_up = without_run(asked_for, RUN)
    after, done = settled(given_up, world)
    assert [type(action) for action in done] == [RemoveContainer]
    assert isinstance(world.containers[RUN].status, Created)
    assert RUN not in after.containers


def test_what_was_asked_for_before_the_machine_started_is_not_begun():
    desired, _ = up(service("web"))
    assert without_lost_runs(with_run(desired, "web", at=100.0), 200.0) == desired
    assert without_lost_runs(with_run(desired, "web", at=300.0), 200.0).container(RUN)
    assert without_lost_runs(with_run(desired, "web", at=100.0, started=True), 200.0).container(RUN)
