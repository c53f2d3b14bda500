"""Whether a stack is as it should be, in one word, and service by service."""

from __future__ import annotations

import pytest

from orchestra.model.desired import Request
from orchestra.model.health import HealthStatus
from orchestra.model.observed import Created
from orchestra.model.wish import Goal, Wish
from orchestra.plan.desire import with_wishes_of
from orchestra.plan.standing import Verdict, standing
from orchestra.record import replace
from tests.plan.stacks import service, stack
from tests.plan.test_causes import NOW, ended, running, world

STACK = stack(service("db"), service("web", "db"))


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (running(), Verdict.CONVERGED),
        (running(HealthStatus.HEALTHY), Verdict.CONVERGED),
        (running(HealthStatus.STARTING), Verdict.CONVERGING),
        (running(HealthStatus.UNHEALTHY), Verdict.FAILED),
        (replace(running(), paused=True), Verdict.FAILED),
        (ended(0), Verdict.CONVERGED),
        (ended(1), Verdict.FAILED),
        (Created(), Verdict.CONVERGING),
        (None, Verdict.CONVERGING),
    ],
)
def test_one_service_decides_about_the_stack(state, verdict):
    found = standing(STACK, world(STACK, db=state), NOW)
    assert found.verdict is verdict
    assert [(row.service, row.wanted) for row in found.services] == [("db", 1), ("web", 1)]
    assert found.services[0].wrong == (verdict is not Verdict.CONVERGED)


def test_stopped_is_as_it_should_be_and_down_is_a_state_of_its_own():
    wishes = {"db": Wish(990.0, Goal.STOP), "web": Wish(990.0)}
    assert standing(replace(STACK, wishes=wishes), world(STACK, db=ended(137)), NOW).verdict is Verdict.CONVERGED
    down = replace(STACK, containers=(), services=(), networks=(), request=Request(990.0))
    assert standing(down, world(down), NOW).verdict is Verdict.DOWN
    assert standing(down, world(STACK), NOW).verdict is Verdict.CONVERGING


def test_an_edit_asks_anew_only_for_the_services_that_it_changes():
    before = replace(STACK, wishes={"db": Wish(1.0), "web": Wish(1.0, Goal.STOP)})
    both = {name: Wish(2.0) for name in ("db", "web", "new")}
    changed = stack(service("db", config_hash="db v2"), service("web", "db", config_hash="web v2"), service("new"))
    found = with_wishes_of(before, replace(changed, wishes=both)).wishes
    assert found == {"db": Wish(2.0), "web": Wish(1.0, Goal.STOP), "new": Wish(2.0)}
    same = with_wishes_of(before, replace(STACK, wishes=both)).wishes
    assert same["db"] == Wish(1.0)
