"""The options of `up` and what they do to which service: what `up` and `plan` ask the planner."""

from __future__ import annotations

import pytest

from orchestra.errors import UserError
from orchestra.model.health import Health, HealthStatus
from orchestra.model.mount import BindMount
from orchestra.model.observed import Created, Exited, Observed, Running
from orchestra.model.request import Changes
from orchestra.model.resource import ResourceId
from orchestra.model.wish import Goal, Recreate
from orchestra.plan.action import RemoveContainer
from orchestra.plan.desire import apart, desire, leave, restart, start, stop, with_wishes_of, without_containers
from orchestra.plan.plan import plan
from orchestra.plan.preview import preview
from orchestra.record import replace
from tests.plan.stacks import changed, service, stack, wished
from tests.plan.test_preview import world_after

BEFORE = stack(service("db", healthy=True), service("web", "db:healthy"), service("log"))
WITH_DEPS = ("web", "db")
WEB = ("web",)


def acted(desired, world):
    """Every action of a preview as ``stop s-web-1``, in order."""
    steps = preview(desired, world, desired.request.at).rounds
    return [f"{action.verb} {action.resource.name}" for actions in steps for action in actions]


def replaced(name):
    return [f"{verb} {name}" for verb in ("stop", "remove", "create", "start")]


def test_forced_recreation_of_a_service_leaves_its_dependencies_alone():
    changes = Changes(services=WITH_DEPS, named=WEB, recreate=Recreate.ALWAYS)
    assert acted(desire(BEFORE, BEFORE, changes, 200.0), world_after(BEFORE)) == replaced("s-web-1")


def test_a_dependency_that_changed_or_is_missing_is_seen_to():
    after = stack(service("db", healthy=True, config_hash="db v2"), service("web", "db:healthy"), service("log"))
    changes = Changes(services=WITH_DEPS, named=WEB)
    assert acted(desire(BEFORE, after, changes, 200.0), world_after(BEFORE)) == replaced("s-db-1")
    gone = changed(world_after(BEFORE), "s-db-1", status=Exited(1, 101.0, 102.0))
    assert acted(desire(BEFORE, BEFORE, changes, 200.0), gone) == ["start s-db-1"]


def test_dependencies_are_replaced_when_that_is_asked_for():
    changes = Changes(services=WITH_DEPS, named=WEB, recreate_dependencies=True)
    assert acted(desire(BEFORE, BEFORE, changes, 200.0), world_after(BEFORE)) == replaced("s-db-1")
    both = replace(changes, recreate=Recreate.ALWAYS)
    assert acted(desire(BEFORE, BEFORE, both, 200.0), world_after(BEFORE)) == replaced("s-db-1") + replaced("s-web-1")
    whole = Changes(recreate_dependencies=True)
    assert acted(desire(BEFORE, BEFORE, whole, 200.0), world_after(BEFORE)) == [], "nothing is but a dependency"


def test_alone_a_service_waits_for_nothing_and_nothing_else_is_looked_at():
    after = stack(service("db", healthy=True, config_hash="db v2"), service("web", "db:healthy", config_hash="web v2"))
    after = replace(after, containers=tuple(spec for spec in after.containers if spec.service == "web"))
    ill = changed(world_after(BEFORE), "s-db-1", status=Running(1, 100.0, Health(HealthStatus.UNHEALTHY, 3)))
    changes = Changes(services=WEB, named=WEB, alone=True)
    desired = desire(BEFORE, after, changes, 200.0)
    assert acted(desired, ill) == replaced("s-web-1")
    created = changed(ill, "s-web-1", status=Created(), config_hash="web v2")
    assert [action.resource for action in plan(desired, created, {}, 200.0).ready] == [ResourceId.container("s-web-1")]


def test_a_dependency_is_not_scaled_down_by_naming_another_service():
    more = stack(service("db", replicas=3), service("web", "db"))
    less = stack(service("db", replicas=1), service("web", "db"))
    changes = Changes(services=WITH_DEPS, named=WEB)
    assert acted(desire(more, less, changes, 200.0), world_after(more)) == []
    asked = replace(changes, scaled=("db",))
    assert "stop s-db-3" in acted(desire(more, less, asked, 200.0), world_after(more))
    assert "stop s-db-3" in acted(desire(more, less, Changes(), 200.0), world_after(more))


def test_nothing_is_replaced_when_that_is_asked_for():
    after = stack(service("db", healthy=True, config_hash="v2"), service("web", "db:healthy"), service("new"))
    after = replace(after, networks=tuple(replace(n, config_hash="net v2") for n in after.networks))
    desired = desire(BEFORE, after, Changes(recreate=Recreate.NEVER), 200.0)
    assert acted(desired, world_after(BEFORE)) == ["create s-new-1", "start s-new-1"]
    assert plan(desired, preview(desired, world_after(BEFORE), 200.0).observed, {}, 300.0).converged


def with_anonymous_volume(world, *names):
    for name in names:
        world = changed(world, name, volumes=(*world.containers[name].volumes, "anonymous"))
    return world


def test_anonymous_volumes_are_renewed_also_where_nothing_changed():
    world = with_anonymous_volume(world_after(BEFORE), "s-db-1")
    desired = desire(BEFORE, BEFORE, Changes(renew_volumes=True), 200.0)
    steps = preview(desired, world, 200.0)
    assert acted(desired, world) == replaced("s-db-1")
    (removal,) = [action for actions in steps.rounds for action in actions if isinstance(action, RemoveContainer)]
    assert (removal.volumes, removal.reason) == ("delete", "to be replaced: its anonymous volumes are to be renewed")
    assert preview(desired, with_anonymous_volume(steps.observed, "s-db-1"), 300.0).rounds == (), "only once"


def test_anonymous_volumes_of_a_dependency_are_not_renewed_unless_it_is_replaced_by_command():
    world = with_anonymous_volume(world_after(BEFORE), "s-db-1", "s-web-1")
    changes = Changes(services=WITH_DEPS, named=WEB, renew_volumes=True)
    assert acted(desire(BEFORE, BEFORE, changes, 200.0), world) == replaced("s-web-1")
    assert len(acted(desire(BEFORE, BEFORE, replace(changes, recreate_dependencies=True), 200.0), world)) == 8


def test_a_named_volume_is_nothing_to_renew():
    before = stack(service("db", volumes=["data"]))
    assert acted(desire(before, before, Changes(renew_volumes=True), 200.0), world_after(before)) == []
    spec = replace(before.containers[0], mounts=(*before.containers[0].mounts, BindMount("/x", "/x")))
    bound = replace(before, containers=(spec,))
    assert acted(desire(bound, bound, Changes(renew_volumes=True), 200.0), world_after(before)) == []


def named(container_name, service_name):
    """A service whose container has a name of its own."""
    made = stack(service(service_name, config_hash="fixed"))
    (spec,) = made.containers
    return replace(made, containers=(replace(spec, name=container_name),))


def fates(desired, world):
    steps = preview(desired, world, 200.0).rounds
    return {action.name: str(action.volumes) for s in steps for action in s if isinstance(action, RemoveContainer)}


def test_a_renamed_service_takes_its_container_name_over():
    before, after = named("fixed", "web"), named("fixed", "site")
    world = world_after(before)
    desired = desire(before, after, Changes(), 200.0)
    steps = preview(desired, world, 200.0)
    assert acted(desired, world) == replaced("fixed")
    assert steps.rounds[0][0].reason == "to be replaced: it belongs to service web"
    assert steps.observed.containers["fixed"].service == "site"
    assert fates(desired, world) == {"fixed": "hand on"}
    assert acted(desire(before, after, Changes(services=("site",)), 200.0), world) == replaced("fixed")


def both(web_name, api_name):
    made = stack(service("web", config_hash=f"web as {web_name}"), service("api", config_hash=f"api as {api_name}"))
    names = {"web": web_name, "api": api_name}
    specs = tuple(replace(spec, name=names[spec.service]) for spec in made.containers)
    return replace(made, containers=specs)


def test_two_services_swap_their_container_names_and_neither_has_the_data_of_the_other():
    before, after = both("x", "y"), both("y", "x")
    world = world_after(before)
    desired = desire(before, after, Changes(), 200.0)
    end = preview(desired, world, 200.0).observed
    assert {name: container.service for name, container in end.containers.items()} == {"x": "api", "y": "web"}
    assert fates(desired, world) == {"x": "leave", "y": "leave"}


def test_a_service_cannot_take_a_container_name_that_an_unnamed_service_has():
    with pytest.raises(UserError, match="service web cannot have the container name y: service api still has it") as e:
        desire(both("x", "y"), both("y", "x"), Changes(services=WEB, named=WEB), 200.0)
    assert e.value.hint == "name api too, or no service at all"


def test_what_no_active_profile_enables_stays_as_it_is():
    before = stack(service("web"), service("tool", restart="always"))
    after = replace(stack(service("web")), services=("web", "tool"), disabled=("tool",))
    desired = desire(before, after, Changes(), 200.0)
    assert acted(desired, world_after(before)) == []
    assert {spec.service for spec in desired.containers} == {"web", "tool"}
    assert acted(desire(None, after, Changes(), 200.0), world_after(before)) == [], "nor when it was never asked for"
    assert acted(replace(after, containers=(), networks=()), world_after(before))[:2] == [
        "stop s-tool-1",
        "stop s-web-1",
    ]
    assert acted(desire(None, after, Changes(), 200.0), Observed("s"))[-1] == "start s-web-1"


def test_no_dependency_is_left_alone_when_no_service_is_named():
    desired = desire(None, BEFORE, Changes(alone=True), 200.0)
    assert not any(desired.wish(service).alone for service in desired.services)


def test_a_dependency_whose_container_has_another_name_now_is_one_container():
    before, after = (
        replace(made, containers=(replace(made.containers[0], name=name), *made.containers[1:]))
        for made, name in ((stack(service("db"), service("web", "db")), "old"), (BEFORE, "new"))
    )
    desired = desire(before, after, Changes(services=WITH_DEPS, named=WEB), 200.0)
    assert [spec.name for spec in desired.containers] == ["new", "s-web-1"]


def test_a_renamed_service_takes_its_container_also_when_nothing_else_is_replaced():
    before, after = named("fixed", "web"), named("fixed", "site")
    desired = desire(before, after, Changes(recreate=Recreate.NEVER), 200.0)
    assert acted(desired, world_after(before)) == replaced("fixed")


def test_where_nothing_is_known_of_what_was_asked_for_unnamed_services_stay():
    desired = desire(None, BEFORE, Changes(services=WITH_DEPS, named=WEB), 200.0)
    assert acted(desired, world_after(BEFORE)) == []


def test_alone_a_service_does_not_keep_a_dependency_from_being_replaced_that_it_restarts_with():
    before = stack(service("db"), service("web", "db!"))
    after = wished(stack(service("db", config_hash="db v2"), service("web", "db!"), at=200.0), "web", alone=True)
    done = acted(after, world_after(before))
    assert [step for step in done if step.endswith("db-1")] == replaced("s-db-1")
    assert (done[0], done[-1]) == ("stop s-web-1", "start s-web-1")


def test_creation_starts_nothing_and_keeps_what_runs():
    nothing = Observed("s")
    only_made = desire(None, BEFORE, Changes(start=False), 200.0)
    assert not [step for step in acted(only_made, nothing) if step.startswith("start")]
    assert len([step for step in acted(only_made, nothing) if step.startswith("create s-")]) == 3
    assert acted(desire(BEFORE, BEFORE, Changes(start=False), 200.0), world_after(BEFORE)) == []
    after = stack(service("db", healthy=True), service("web", "db:healthy", config_hash="web v2"), service("log"))
    one = desire(BEFORE, after, Changes(start=False), 200.0)
    assert acted(one, world_after(BEFORE)) == replaced("s-web-1")[:-1]


def test_a_restart_policy_goes_on_where_a_service_is_only_to_be_created():
    always = stack(service("web", restart="always"))
    ended = changed(world_after(always), "s-web-1", status=Exited(1, 101.0, 102.0))
    assert plan(desire(always, always, Changes(start=False), 200.0), ended, {}, 300.0).ready != ()


def test_a_start_replaces_nothing():
    stopped = wished(BEFORE, "web", goal=Goal.STOP)
    world = changed(world_after(BEFORE), "s-web-1", config_hash="web v0", status=Exited(0, 101.0, 150.0, stopped=True))
    assert acted(start(stopped, ["web"], 200.0), world) == ["start s-web-1"]


def test_a_restart_ends_runs_and_begins_others_in_order():
    both = restart(BEFORE, ["db", "web"], 3.0, 200.0)
    assert acted(both, world_after(BEFORE)) == ["stop s-db-1", "start s-db-1", "stop s-web-1", "start s-web-1"]
    assert both.stop_timeout(both.container("s-db-1")) == 3.0
    assert both.stop_timeout(both.container("s-log-1")) is None
    alone = changed(world_after(BEFORE), "s-db-1", status=Exited(1, 101.0, 102.0))
    assert acted(restart(BEFORE, ["web"], None, 200.0), alone) == ["stop s-web-1", "start s-web-1"]


def test_what_was_killed_is_left_as_it_is():
    always = stack(service("db", restart="always"), service("web", "db", restart="always"))
    left = leave(always, ["db"], 200.0)
    world = changed(world_after(always), "s-db-1", status=Exited(137, 101.0, 201.0))
    assert plan(left, world, {}, 300.0).converged
    web_too = changed(world, "s-web-1", status=Exited(1, 101.0, 201.0))
    assert [str(action.resource) for action in plan(left, web_too, {}, 300.0).ready] == ["container/s-web-1"]
    stopped = stop(always, ["db"], None, 150.0)
    assert leave(stopped, ["db"], 200.0).wish("db").goal is Goal.STOP


def test_containers_that_were_given_up_are_removed_and_not_made_again():
    less = without_containers(BEFORE, ["s-log-1"], ["log"])
    world = changed(world_after(BEFORE), "s-log-1", status=Exited(0, 101.0, 102.0))
    assert acted(less, world) == ["remove s-log-1"]
    assert less.networks == BEFORE.networks


class TestReplicasAlone:
    TWO = stack(service("db", replicas=2), service("web", "db"))

    def stopped(self):
        current = desire(self.TWO, self.TWO, Changes(), 100.0)
        return apart(current, stop(current, ["db"], 3.0, 200.0), ["s-db-2"])

    def test_one_is_stopped_and_the_others_run_on(self):
        assert acted(self.stopped(), world_after(self.TWO)) == ["stop s-db-2"]
        assert [self.stopped().stop_timeout(spec) for spec in self.TWO.replicas("db")] == [None, 3.0]

    def test_one_that_was_stopped_keeps_nothing_waiting(self):
        there = changed(world_after(self.TWO), "s-db-2", status=Exited(0, 101.0, 201.0, stopped=True))
        there = changed(there, "s-web-1", status=Created())
        assert acted(self.stopped(), there) == ["start s-web-1"]

    def test_it_is_kept_so_by_commands_about_others_and_by_edits_of_others(self):
        there = changed(world_after(self.TWO), "s-db-2", status=Exited(0, 101.0, 201.0, stopped=True))
        other = desire(self.stopped(), self.TWO, Changes(services=WEB, named=WEB, alone=True), 300.0)
        assert acted(other, there) == []
        edit = desire(self.stopped(), self.TWO, Changes(), 300.0)
        assert acted(with_wishes_of(self.stopped(), edit), there) == []

    @pytest.mark.parametrize(
        "later",
        [
            lambda current: desire(current, current, Changes(), 300.0),
            lambda current: start(current, ["db"], 300.0),
            lambda current: apart(current, start(current, ["db"], 300.0), ["s-db-2"]),
        ],
        ids=["up", "start", "start alone"],
    )
    def test_a_later_command_about_it_starts_it(self, later):
        there = changed(world_after(self.TWO), "s-db-2", status=Exited(0, 101.0, 201.0, stopped=True))
        assert acted(later(self.stopped()), there) == ["start s-db-2"]
