"""What a single plan says of failures, of what is under way, and of being done."""

from __future__ import annotations

import pytest

from orchestra.model.health import Health, HealthStatus
from orchestra.model.names import ContainerName, ServiceName, VolumeName
from orchestra.model.observed import Container, Created, Exited, Failure, Observed, Running, Verb, Volume
from orchestra.model.resource import ResourceId
from orchestra.model.wish import Goal
from orchestra.plan.action import CreateContainer, PullImage, RemoveNetwork, StartContainer, StopContainer
from orchestra.plan.plan import plan
from orchestra.plan.removal import orphans
from orchestra.plan.situation import GIVE_UP
from orchestra.plan.supersede import is_superseded
from orchestra.record import replace
from tests.plan.stacks import asked, changed, going_down, service, stack, wished
from tests.plan.test_preview import world_after

WEB = stack(service("db"), service("web", "db"))


def resources(actions):
    return [f"{action.verb} {action.resource}" for action in actions]


def failed(observed, resource, *, temporary, at, attempts=1, verb=Verb.PULL):
    failure = Failure(resource, verb, "no luck", temporary, attempts, at, "buy some")
    return replace(observed, failures={resource: failure})


def test_a_temporary_failure_is_tried_again_after_a_pause():
    world = failed(Observed("s"), ResourceId.image("app"), temporary=True, at=100.0, attempts=3)
    early = plan(WEB, world, {}, now=100.1)
    assert resources(early.ready) == ["create network/s_default"]
    assert early.wake_at == pytest.approx(100.4)
    assert early.blocked[0].reason == "failed 3 times to pull: no luck"
    assert "pull image/app" in resources(plan(WEB, world, {}, now=100.5).ready)


def test_a_fatal_failure_fails_what_needs_it_until_it_is_asked_for_again():
    world = failed(Observed("s"), ResourceId.image("app"), temporary=False, at=100.0)
    after = plan(WEB, replace(world, networks=world_after(WEB).networks), {}, now=999.0)
    assert after.ready == ()
    assert after.converged
    assert [(f.resource, f.error, f.hint) for f in after.failed] == [(ResourceId.image("app"), "no luck", "buy some")]
    assert [b.resource for b in after.blocked] == [ResourceId.container("s-db-1"), ResourceId.container("s-web-1")]
    assert "pull image/app" in resources(plan(asked(WEB, at=200.0), world, {}, now=200.0).ready)


@pytest.mark.parametrize("external", [False, True])
def test_a_network_whose_firewall_rules_are_lost_is_completed(external):
    world = world_after(WEB)
    (name,) = world.networks
    lost = replace(
        world,
        networks={
            name: replace(world.networks[name], loss="its firewall rules were removed or changed", external=external)
        },
    )
    desired = replace(WEB, networks=tuple(replace(spec, external=external) for spec in WEB.networks))
    (action,) = plan(desired, lost, {}, now=999.0).ready
    assert (action.verb, action.resource) == ("create", ResourceId.network(name))
    assert action.reason == "its firewall rules were removed or changed"


def test_what_cannot_be_started_can_be_stopped_replaced_and_removed():
    world = changed(world_after(WEB), "s-web-1", status=Created())
    world = failed(world, ResourceId.container("s-web-1"), temporary=False, at=200.0, verb=Verb.START)
    assert [f.resource for f in plan(WEB, world, {}, now=201.0).failed] == [ResourceId.container("s-web-1")]
    assert "remove container/s-web-1" in resources(plan(going_down(WEB, at=100.0), world, {}, now=201.0).ready)
    edited = stack(service("db"), service("web", "db", config_hash="web v2"))
    assert "remove container/s-web-1" in resources(plan(edited, world, {}, now=201.0).ready)


@pytest.mark.parametrize("verb", [Verb.STOP, Verb.PROBE])
def test_what_cannot_be_stopped_or_probed_can_be_started(verb):
    world = changed(world_after(WEB), "s-web-1", status=Created())
    world = failed(world, ResourceId.container("s-web-1"), temporary=False, at=200.0, verb=verb)
    assert resources(plan(WEB, world, {}, now=201.0).ready) == ["start container/s-web-1"]


def test_what_cannot_be_looked_at_is_left_alone():
    world = failed(world_after(WEB), ResourceId.container("s-web-1"), temporary=False, at=1000.0, verb=Verb.LOOK)
    down = plan(going_down(WEB), world, {}, now=1001.0)
    assert [f.resource for f in down.failed] == [ResourceId.container("s-web-1")]


def test_what_failed_often_enough_fails_a_command_and_is_tried_again_all_the_same():
    world = failed(Observed("s"), ResourceId.image("app"), temporary=True, at=100.0, attempts=GIVE_UP)
    after = plan(WEB, world, {}, now=101.0)
    assert [(f.resource, f.error) for f in after.failed] == [(ResourceId.image("app"), "no luck")]
    assert {ResourceId.image("app"), ResourceId.container("s-db-1"), ResourceId.container("s-web-1")} == after.hopeless
    assert after.wake_at == pytest.approx(106.4)
    assert "pull image/app" in resources(plan(WEB, world, {}, now=107.0).ready)


def test_one_action_at_a_time_on_a_resource():
    pull = PullImage(WEB.images[0], "")
    during = plan(WEB, Observed("s"), {pull.resource: pull}, now=100.0)
    assert resources(during.ready) == ["create network/s_default"]
    assert not during.converged


def test_nothing_starts_on_a_dependency_that_is_being_stopped():
    world = changed(world_after(WEB), "s-web-1", status=Created())
    stop = StopContainer("s-db-1", "", 10.0, "")
    during = plan(WEB, world, {stop.resource: stop}, now=200.0)
    assert during.ready == ()
    assert [b.reason for b in during.blocked] == ["waits for s-db-1 (in progress: stop)"]


def test_a_network_is_not_removed_under_a_container_that_is_being_made():
    create = CreateContainer(WEB.containers[0], "", "")
    world = Observed("s", networks=world_after(WEB).networks)
    during = plan(going_down(WEB), world, {create.resource: create}, now=1000.0)
    assert during.ready == ()
    assert [b.reason for b in during.blocked] == ["in use by s-db-1"]
    assert not during.converged


def test_nothing_is_removed_under_a_container_of_which_nothing_is_known():
    name = ContainerName("s-db-1")
    unknown = Container(name, ServiceName("db"), 1, "", "", "", "", Running(7, 50.0), 0.0, damage="cut")
    world = replace(world_after(WEB), containers={name: unknown}, volumes={"s_data": Volume(VolumeName("s_data"))})
    down = going_down(WEB)
    down = replace(down, request=replace(down.request, remove_volumes=True))
    during = plan(down, world, {}, now=1000.0)
    assert [action.resource for action in during.ready] == [ResourceId.container("s-db-1")]
    assert {b.resource: b.reason for b in during.blocked} == dict.fromkeys(
        (ResourceId.network("s_default"), ResourceId.volume("s_data")), "in use by s-db-1"
    )


@pytest.mark.parametrize("platform", ["", "linux/arm64"])
def test_a_changed_network_waits_no_longer_than_for_the_failure_of_an_image(platform):
    desired = stack(service("web", platform=platform), at=200.0)
    desired = replace(desired, networks=(replace(desired.networks[0], config_hash="net v2"),))
    world = replace(world_after(stack(service("web"))), images={})
    (image,) = desired.images
    after = plan(desired, failed(world, ResourceId.image(image.key), temporary=False, at=200.0), {}, now=201.0)
    assert after.ready == ()
    assert after.converged
    assert ResourceId.network("s_default") in after.hopeless


def test_nothing_is_made_on_a_network_that_is_being_removed():
    world = replace(world_after(WEB), containers={})
    remove = RemoveNetwork("s_default", "")
    during = plan(asked(WEB, at=200.0), world, {remove.resource: remove}, now=200.0)
    assert during.ready == ()


def test_a_container_that_is_being_started_holds_what_it_depends_on():
    start = StartContainer("s-web-1", 0, 0, "")
    world = changed(world_after(WEB), "s-web-1", status=Created())
    during = plan(going_down(WEB), world, {start.resource: start}, now=1000.0)
    assert resources(during.ready) == []
    assert during.blocked[0].reason == "the stack goes down; waits for s-web-1 to stop"


def test_definitions_of_different_age_that_depend_on_each_other_can_still_stop():
    world = changed(world_after(WEB), "s-db-1", depends_on=("web",))
    down = plan(going_down(WEB), world, {}, now=1000.0)
    assert resources(down.ready) == ["stop container/s-db-1", "stop container/s-web-1"]


def test_a_stop_uses_the_signal_and_time_the_container_was_made_with():
    desired = stack(service("web", stop_signal="SIGQUIT", stop_grace_period=3.0))
    (stop,) = plan(going_down(desired), world_after(desired), {}, now=1000.0).ready
    assert (stop.signal, stop.timeout) == ("SIGQUIT", 3.0)
    (stop,) = plan(going_down(desired, stop_timeout=0.5), world_after(desired), {}, now=1000.0).ready
    assert stop.timeout == 0.5


def test_orphans_are_the_containers_no_service_declares():
    world = world_after(stack(service("old"), service("web")))
    assert orphans(stack(service("web")), world) == ("s-old-1",)


def test_every_verdict_has_a_reason():
    for world in (Observed("s"), world_after(WEB), changed(world_after(WEB), "s-db-1", status=Exited(1, 1.0, 2.0))):
        for desired in (asked(WEB, at=500.0), going_down(WEB)):
            verdict = plan(desired, world, {}, now=500.0)
            assert all(item.reason for item in (*verdict.ready, *verdict.blocked))


def test_a_running_stack_is_converged():
    verdict = plan(WEB, world_after(WEB), {}, now=200.0)
    assert (verdict.converged, verdict.wake_at, verdict.blocked, verdict.failed) == (True, None, (), ())
    assert all(isinstance(c.status, Running) for c in world_after(WEB).containers.values())


def test_what_no_longer_makes_sense_is_superseded():
    web = WEB.containers[1]
    down = going_down(WEB)
    assert is_superseded(PullImage(WEB.images[0], ""), down)
    assert is_superseded(CreateContainer(web, "", ""), down)
    assert is_superseded(StartContainer(web.name, 0, 0, ""), down)
    assert is_superseded(StartContainer(web.name, 0, 0, ""), wished(asked(WEB, at=200.0), "web", goal=Goal.STOP))
    assert is_superseded(CreateContainer(replace(web, config_hash="old"), "", ""), WEB)
    assert is_superseded(StopContainer(web.name, "", 10.0, ""), asked(WEB, at=200.0, stop_timeout=1.0))
    for action in (PullImage(WEB.images[0], ""), CreateContainer(web, "", ""), StartContainer(web.name, 0, 0, "")):
        assert not is_superseded(action, asked(WEB, at=200.0))
    assert not is_superseded(StopContainer(web.name, "", 10.0, ""), asked(WEB, at=200.0))


def test_what_takes_its_time_is_named_with_what_it_keeps_waiting():
    desired = stack(service("db", healthy=True), service("job"), service("web", "db:healthy job:completed"))
    world = changed(world_after(desired), "s-web-1", status=Created())
    world = changed(world, "s-db-1", status=Running(1, 100.0, Health(HealthStatus.STARTING)))
    world = changed(world, "s-job-1", status=Running(1, 100.0))
    (web,) = plan(desired, world, {}, now=200.0).blocked
    assert web.awaited == (
        (ResourceId.container("s-db-1"), "to be healthy"),
        (ResourceId.container("s-job-1"), "to complete"),
    )
    failing = failed(Observed("s"), ResourceId.image("app"), temporary=True, at=100.0, attempts=3)
    (pull, *_) = plan(WEB, failing, {}, now=100.1).blocked
    assert pull.awaited == ((ResourceId.image("app"), "to be tried again: no luck"),)
    crashed = stack(service("web", restart="always"))
    world = changed(world_after(crashed), "s-web-1", status=Exited(1, 101.0, 102.0), backoff=3)
    (again,) = plan(crashed, world, {}, now=102.1).blocked
    assert again.awaited == ((ResourceId.container("s-web-1"), "to be restarted"),)
