"""`up SERVICE…` changes the named services and leaves the others as they were asked for."""

from __future__ import annotations

import pytest

from orchestra.errors import UserError
from orchestra.model.container import VolumeSource
from orchestra.model.desired import Request
from orchestra.model.observed import Exited, Observed
from orchestra.model.sharing import OfService
from orchestra.model.wish import Goal, Recreate
from orchestra.plan.plan import plan
from orchestra.plan.preview import preview, render_text
from orchestra.plan.selection import check_lenders, merge_desired, with_dependents, without_services
from orchestra.record import replace
from tests.plan.stacks import asked, changed, service, stack, wished
from tests.plan.test_preview import world_after

BEFORE = stack(service("db", volumes=["data"]), service("job"), service("web", "db", networks=("front",)))
AFTER = stack(
    service("db", volumes=["data"], config_hash="db v2"),
    service("job", config_hash="job v2"),
    service("web", "db", networks=("front",), config_hash="web v2"),
    at=200.0,
)


def hashes(desired):
    return {spec.service: spec.config_hash for spec in desired.containers}


def times(desired):
    return {service: desired.wish(service).at for service in desired.services}


def test_no_selection_is_everything():
    assert merge_desired(BEFORE, AFTER) is AFTER


def test_from_nothing_only_what_was_named_and_what_it_uses():
    merged = merge_desired(None, AFTER, ["web"])
    assert hashes(merged) == {"web": "web v2"}
    assert [network.name for network in merged.networks] == ["s_front"]
    assert merged.volumes == ()
    assert set(merged.services) == {"db", "job", "web"}


def test_what_was_not_named_keeps_its_definition_and_its_time():
    merged = merge_desired(BEFORE, AFTER, ["web"])
    assert hashes(merged) == {"db": "db v1", "job": "job v1", "web": "web v2"}
    assert times(merged) == {"db": 100.0, "job": 100.0, "web": 200.0}
    assert [volume.name for volume in merged.volumes] == ["s_data"]
    text = render_text(preview(merged, world_after(BEFORE), 200.0))
    assert "db-1" not in text
    assert "job-1" not in text
    assert "stop   container/s-web-1" in text


def test_an_ended_container_that_was_not_named_stays_ended():
    world = changed(world_after(BEFORE), "s-job-1", status=Exited(0, 101.0, 150.0))
    again = asked(BEFORE, at=200.0)
    assert plan(merge_desired(BEFORE, again, ["web"]), world, {}, 200.0).converged
    assert not plan(merge_desired(BEFORE, again, ["job"]), world, {}, 200.0).converged


def test_times_survive_several_selections():
    first = merge_desired(BEFORE, asked(BEFORE, at=200.0), ["db"])
    second = merge_desired(first, asked(BEFORE, at=300.0), ["web"])
    assert times(second) == {"db": 200.0, "job": 100.0, "web": 300.0}


def test_recreation_and_stopping_affect_the_named_services():
    stopped = wished(asked(BEFORE, at=200.0), "db", "job", "web", goal=Goal.STOP)
    merged = merge_desired(stopped, wished(asked(BEFORE, at=300.0), "web", "db", recreate=Recreate.ALWAYS), ["web"])
    assert [service for service in merged.services if merged.wish(service).rests] == ["db", "job"]
    assert [service for service in merged.services if merged.wish(service).recreate is Recreate.ALWAYS] == ["web"]


def test_a_service_the_file_no_longer_declares_becomes_an_orphan():
    declared = stack(service("web", networks=("front",)), at=200.0)
    merged = merge_desired(BEFORE, declared, ["web"])
    assert hashes(merged) == {"web": "web v1"}
    assert plan(merged, world_after(BEFORE), {}, 200.0).ready == ()


def test_images_of_others_are_not_asked_for_again():
    always = replace(BEFORE, images=tuple(replace(image, pull_policy="always") for image in BEFORE.images))
    other = stack(service("db", volumes=["data"]), service("new", image="new"), at=200.0)
    merged = merge_desired(always, other, ["new"])
    assert {image.reference: image.pull_policy for image in merged.images} == {"app": "missing", "new": "missing"}


def test_a_stack_that_was_down_comes_up_with_what_is_named():
    merged = merge_desired(replace(BEFORE, containers=(), networks=()), AFTER, ["db"])
    assert hashes(merged) == {"db": "db v2"}
    assert preview(merged, Observed("s"), 200.0).rounds


def test_down_of_services_takes_their_dependents_and_keeps_the_rest_as_it_was_asked_for():
    current = stack(service("db"), service("web", "db"), service("proxy", "web"), service("log"), at=50.0)
    gone = with_dependents(current, ["web"])
    assert gone == {"web", "proxy"}
    less = without_services(current, gone, Request(at=200.0, remove_anonymous=True))
    assert [spec.service for spec in less.containers] == ["db", "log"]
    assert less.networks == current.networks
    assert times(less) == {"db": 50.0, "log": 50.0, "web": 200.0, "proxy": 200.0}
    nothing = without_services(current, {"db", "web", "proxy", "log"}, Request(at=200.0))
    assert nothing.is_down
    assert nothing.images == ()


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"network_mode": OfService("db")}, "network namespace"),
        ({"pid": OfService("db")}, "PID namespace"),
        ({"volumes_from": (VolumeSource(OfService("db")),)}, "volume"),
    ],
)
def test_a_service_alone_needs_the_containers_whose_things_it_shares(fields, what):
    whole = stack(service("db"), service("web"))
    web = replace(next(spec for spec in whole.containers if spec.service == "web"), **fields)
    alone = replace(whole, containers=(web,))
    with pytest.raises(UserError, match=f"cannot share {what} with service db: container missing"):
        check_lenders(alone, Observed("s"))
    check_lenders(alone, world_after(whole))
    check_lenders(replace(whole, containers=(*whole.containers[:1], web)), Observed("s"))
