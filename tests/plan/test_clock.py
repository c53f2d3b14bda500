"""A clock that is set back: nothing is done again for it, and nothing waits until it has caught up."""

from __future__ import annotations

import pytest

from orchestra.model.observed import Exited, Failure, Verb
from orchestra.model.resource import ResourceId
from orchestra.model.wish import Recreate
from orchestra.plan.clock import as_of
from orchestra.plan.plan import plan
from orchestra.record import replace
from tests.plan.stacks import changed, service, stack, wished, with_run
from tests.plan.test_preview import world_after

WEB = stack(service("db"), service("web", "db!", restart="always"))
UP = world_after(WEB)


def ready(desired, world, now):
    return [f"{action.verb} {action.resource.name}" for action in plan(desired, world, {}, now).ready]


def test_commands_are_given_by_now_at_the_latest():
    desired = with_run(wished(WEB, "web", at=300.0, recreate=Recreate.ALWAYS), "db", at=300.0)
    assert as_of(desired, 300.0) is desired
    back = as_of(desired, 50.0)
    assert (back.request.at, back.wish("web").at, back.one_offs[0].one_off.at) == (50.0, 50.0, 50.0)
    assert back.wish("web").recreate is Recreate.ALWAYS
    assert "check s-web-1" in ready(desired, UP, 60.0)
    assert "check s-web-1" not in ready(back, UP, 60.0)


@pytest.mark.parametrize(("known", "id", "goes"), [("one", "one", []), ("one", "two", ["stop s-web-1"])])
def test_what_is_restarted_with_a_dependency_is_so_for_another_one(known, id, goes):
    world = changed(UP, "s-web-1", runs_with={"s-db-1": known})
    for created_at in (1.0, 300.0):
        assert ready(WEB, changed(world, "s-db-1", id=id, created_at=created_at), 500.0) == goes


def test_a_run_of_an_earlier_version_is_judged_by_time():
    world = changed(UP, "s-web-1", runs_with={})
    assert ready(WEB, changed(world, "s-db-1", id="one", created_at=1.0), 500.0) == []
    assert ready(WEB, changed(world, "s-db-1", id="one", created_at=300.0), 500.0) == ["stop s-web-1"]


def test_back_off_ends_when_the_clock_is_set_back():
    ended = changed(UP, "s-web-1", status=Exited(1, 3000.0, 3001.0), backoff=9)
    assert ready(WEB, ended, 3002.0) == []
    assert ready(WEB, ended, 200.0) == ["start s-web-1"]
    resource = ResourceId.container("s-web-1")
    failed = Failure(resource, Verb.START, "no luck", temporary=True, attempts=6, at=3001.0)
    due = replace(changed(ended, "s-web-1", backoff=0), failures={resource: failed})
    assert ready(WEB, due, 3002.0) == []
    assert ready(WEB, due, 200.0) == ["start s-web-1"]
