"""A bad edit never takes a good container down: checked first, and back to the earlier definition when refused."""

from __future__ import annotations

import pytest

from orchestra.model.desired import ImageSpec
from orchestra.model.observed import Created, Exited, Failure, Image, Network, Observed, Verb
from orchestra.model.resource import ResourceId
from orchestra.model.sharing import OfService
from orchestra.plan.action import (
    CheckContainer,
    CreateContainer,
    CreateNetwork,
    RemoveContainer,
    StartContainer,
    StopContainer,
)
from orchestra.plan.earlier import go_back, is_refusal, with_earlier
from orchestra.plan.plan import plan
from orchestra.plan.predict import predict_all
from orchestra.plan.preview import preview
from orchestra.plan.situation import GIVE_UP
from orchestra.record import replace
from tests.plan.stacks import changed, service, stack

OLD = stack(service("web"), service("front", "web!"), at=100.0)
EDITED = stack(service("web", config_hash="web v2"), service("front", "web!"), at=200.0)
WEB, RESOURCE = "s-web-1", ResourceId.container("s-web-1")


def running(desired=OLD, digest="d1"):
    images = {image.key: Image(image.key, digest) for image in desired.images}
    return preview(desired, Observed("s", images=images), 100.0).observed


def edited(observed, desired=EDITED):
    return with_earlier(desired, OLD, observed)


def refused(observed, verb=Verb.CHECK, at=201.0):
    failure = Failure(RESOURCE, verb, "no such user", False, 1, at, "name another")
    return replace(observed, refused={WEB: failure})


def test_a_new_definition_is_checked_before_anything_is_stopped():
    observed = running()
    desired = edited(observed)
    [check] = plan(desired, observed, {}, 200.0).ready
    assert isinstance(check, CheckContainer)
    assert (check.spec, check.image_digest) == (desired.container(WEB), "d1")
    observed = predict_all(observed, [check], 201.0)
    assert [type(action) for action in plan(desired, observed, {}, 202.0).ready] == [StopContainer]
    assert plan(desired, observed, {}, 202.0).ready[0].name == "s-front-1"  # it restarts with web


BOTH = stack(service("web", config_hash="web v2"), service("front", "web!", config_hash="front v2"), at=200.0)
FRONT = "s-front-1"


def test_nothing_is_stopped_before_the_definition_of_what_restarts_with_it_is_checked():
    observed = running()
    desired = edited(observed, BOTH)
    checks = plan(desired, observed, {}, 200.0).ready
    assert [(type(action), action.spec.name) for action in checks] == [(CheckContainer, WEB), (CheckContainer, FRONT)]
    for check in checks:  # neither is enough by itself
        found = plan(desired, predict_all(observed, [check], 201.0), {}, 202.0)
        assert [type(action) for action in found.ready] == [CheckContainer]
    found = plan(desired, predict_all(observed, checks, 201.0), {}, 202.0)
    assert [(type(action), action.name) for action in found.ready] == [(StopContainer, FRONT)]


def test_while_what_restarts_with_it_cannot_be_replaced_a_container_is_left_alone():
    observed = running()
    other = service("front", "web!", config_hash="front v2", image="other")
    desired = edited(observed, stack(service("web", config_hash="web v2"), other, at=200.0))
    observed = predict_all(observed, plan(desired, observed, {}, 200.0).ready[-1:], 201.0)
    error = Failure(ResourceId.image("other"), Verb.PULL, "no such image", False, 1, 201.0)
    found = plan(desired, replace(observed, failures={error.resource: error}), {}, 202.0)
    assert (found.ready, found.converged) == ((), True)
    assert {RESOURCE, ResourceId.container(FRONT)} <= found.hopeless


def test_what_restarts_with_it_is_stopped_and_started_as_it_was_if_its_own_definition_was_refused():
    observed = running()
    desired = edited(observed, BOTH)
    refusal = Failure(ResourceId.container(FRONT), Verb.CHECK, "no such user", False, 1, 201.0)
    observed = replace(observed, refused={FRONT: refusal})
    found = preview(desired, observed, 202.0).observed.containers
    assert (found[WEB].config_hash, found[FRONT].config_hash) == ("web v2", "front v1")
    assert found[FRONT].status.started_at >= found[WEB].created_at


def test_a_check_is_made_anew_for_every_command_definition_and_image():
    observed = running()
    desired = edited(observed)
    observed = predict_all(observed, plan(desired, observed, {}, 200.0).ready, 201.0)
    again = replace(desired, request=replace(desired.request, at=300.0))
    other = edited(observed, stack(service("web", config_hash="web v3"), service("front", "web!"), at=200.0))
    moved = replace(observed, images={key: Image(key, "d2") for key in observed.images})
    for desired_then, observed_then in ((again, observed), (other, observed), (desired, moved)):
        ready = plan(desired_then, observed_then, {}, 301.0).ready
        assert any(isinstance(action, CheckContainer) and action.resource == RESOURCE for action in ready)


def test_a_refused_definition_leaves_everything_running():
    observed = refused(running())
    found = plan(edited(observed), observed, {}, 202.0)
    assert (found.ready, found.converged) == ((), True)
    [failed] = found.failed
    assert failed.resource == RESOURCE
    assert failed.hint == "name another; the container with the earlier definition was left alone"


def test_a_container_that_ends_after_a_refusal_keeps_its_earlier_restart_policy():
    old = stack(service("web", restart="always"), at=100.0)
    observed = running(old)
    desired = with_earlier(stack(service("web", config_hash="web v2"), at=200.0), old, observed)
    ended = changed(refused(observed), WEB, status=Exited(1, 100.0, 300.0))
    assert [type(action) for action in plan(desired, ended, {}, 400.0).ready] == [StartContainer]


@pytest.mark.parametrize("verb", [Verb.CREATE, Verb.START])
def test_what_the_kernel_refuses_brings_the_earlier_definition_back(verb):
    observed = running()
    desired = edited(observed)
    new = replace(observed.containers[WEB], status=Created(), config_hash="web v2")
    observed = refused(replace(observed, containers={**observed.containers, WEB: new}), verb)
    happened = []
    for moment in range(202, 206):
        found = plan(desired, observed, {}, float(moment))
        assert [failure.resource for failure in found.failed] == [RESOURCE]
        happened += found.ready
        observed = predict_all(observed, found.ready, float(moment))
    assert [type(action) for action in happened] == [RemoveContainer, CreateContainer, StartContainer]
    assert observed.containers[WEB].config_hash == "web v1"
    assert "started again with its earlier definition" in found.failed[0].hint
    assert found.converged


def test_a_container_that_goes_back_waits_for_a_network_that_is_made_anew():
    observed = running()
    desired = edited(observed)
    gone = {name: seen for name, seen in observed.containers.items() if name != WEB}
    observed = refused(replace(observed, containers=gone, networks={}), Verb.START)
    found = plan(desired, observed, {}, 202.0)
    assert [type(action) for action in found.ready] == [CreateNetwork]
    waits = [each.waits_for for each in found.blocked if each.resource == RESOURCE]
    assert waits == [(found.ready[0].resource,)]
    created = plan(desired, predict_all(observed, found.ready, 202.0), {}, 203.0).ready
    assert [(action.spec.name, action.spec.config_hash) for action in created] == [(WEB, "web v1")]


def test_a_container_is_not_created_while_the_one_whose_namespace_it_shares_goes_back():
    shares = service("side", "web", network_mode=OfService("web"))
    old = stack(service("web"), shares, at=100.0)
    new = stack(service("web", config_hash="web v2"), shares, at=200.0)
    observed = running(old)
    desired = with_earlier(new, old, observed)
    made = replace(observed.containers[WEB], status=Created(), config_hash="web v2")
    observed = refused(replace(observed, containers={WEB: made}), Verb.START)
    found = plan(desired, observed, {}, 202.0)
    assert [(type(action), action.name) for action in found.ready] == [(RemoveContainer, WEB)]
    assert [each.waits_for for each in found.blocked if each.resource.name == "s-side-1"] == [(RESOURCE,)]


def test_an_image_that_cannot_be_started_brings_the_earlier_image_back():
    observed = running()
    asked = replace(OLD, request=replace(OLD.request, at=200.0))
    asked = replace(asked, images=(ImageSpec("app", pull_policy="always"),))
    desired = with_earlier(asked, OLD, observed)
    observed = replace(observed, images={"app": Image("app", "d2", pulled_at=200.5)})
    new = replace(observed.containers[WEB], status=Created(), image_digest="d2")
    observed = refused(replace(observed, containers={WEB: new}), Verb.START)
    for moment in range(202, 206):
        observed = predict_all(observed, plan(desired, observed, {}, float(moment)).ready, float(moment))
    assert observed.containers[WEB].image_digest == "d1"
    assert go_back(desired, observed).containers == desired.containers


def test_which_failures_are_refusals():
    observed = running()
    desired = edited(observed)
    new, old = desired.container(WEB), OLD.container(WEB)

    def is_one(action, observed=observed, desired=desired, temporary=False, attempts=1):
        failure = Failure(action.resource, action.verb, "no", temporary, attempts, 201.0)
        return is_refusal(desired, observed, action, failure)

    assert is_one(CheckContainer(new, "d1", ""))
    assert is_one(CreateContainer(new, "d1", ""))
    assert not is_one(CreateContainer(old, "d1", ""))
    assert not is_one(CreateContainer(new, "d1", ""), temporary=True)
    assert is_one(CreateContainer(new, "d1", ""), temporary=True, attempts=GIVE_UP)
    assert not is_one(StopContainer(WEB, "", 1.0, ""))
    assert not is_one(CreateContainer(new, "d1", ""), desired=OLD)
    start = StartContainer(WEB, 0, 0, "")
    assert not is_one(start)
    assert not is_one(start, changed(observed, WEB, status=Created()))
    made = changed(observed, WEB, status=Created(), config_hash="web v2")
    assert is_one(start, made)
    # Once it has run, a failed restart is no fault of the edit.
    assert not is_one(start, changed(made, WEB, status=Exited(1, 1.0, 2.0)))


def test_what_is_desired_after_a_refusal_is_what_was_desired_before():
    observed = refused(running())
    desired = edited(observed)
    after = go_back(desired, observed)
    assert after.container(WEB) == OLD.container(WEB)
    assert after.earlier == ()
    assert go_back(desired, refused(observed, at=150.0)) is desired  # of an earlier command
    # The next edit, refused as well, still knows what runs.
    assert with_earlier(EDITED, after, observed).earlier == desired.earlier
    assert with_earlier(EDITED, desired, observed).earlier == desired.earlier


def test_a_network_is_not_replaced_under_a_container_whose_definition_is_refused():
    observed = running()
    desired = edited(observed)
    desired = replace(desired, networks=tuple(replace(net, config_hash="net v2") for net in desired.networks))
    [check] = plan(desired, observed, {}, 200.0).ready
    assert isinstance(check, CheckContainer)
    found = plan(desired, refused(observed), {}, 202.0)
    assert (found.ready, found.converged) == ((), True)
    checked = predict_all(observed, [check], 201.0)
    assert any(isinstance(action, StopContainer) for action in plan(desired, checked, {}, 202.0).ready)


def test_a_network_that_was_held_back_stays_after_a_refusal():
    observed = running()
    new = replace(EDITED, networks=tuple(replace(net, config_hash="net v2") for net in EDITED.networks))
    desired = edited(observed, new)
    after = go_back(desired, refused(observed))
    assert after.networks == OLD.networks
    assert plan(after, refused(observed), {}, 300.0).converged
    # The kernel refused the container later: the network is the new one by then.
    made = replace(observed, networks={net.name: Network(net.name, "net v2") for net in new.networks})
    assert go_back(desired, refused(made, Verb.START)).networks == new.networks


def test_a_preview_shows_no_checks_but_lists_them():
    found = preview(EDITED, running(), 200.0)
    assert not any(isinstance(action, CheckContainer) for actions in found.rounds for action in actions)
    assert RESOURCE in {action.resource for action in found.checks}
