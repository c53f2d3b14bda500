"""Containers that are removed when they have ended for good."""

from __future__ import annotations

import pytest

from orchestra.model.observed import Created, Exited
from orchestra.model.wish import Goal, Wish
from orchestra.plan.temporary import without_ended
from orchestra.record import replace
from tests.plan.stacks import changed, service, stack
from tests.plan.test_preview import world_after

STACK = stack(service("job", remove_when_ended=True), service("web"))


@pytest.mark.parametrize(
    ("status", "wish", "goes"),
    [
        (Exited(0, 201.0, 202.0), Wish(200.0), True),
        (Exited(1, 201.0, 202.0, stopped=True), Wish(210.0, Goal.STOP), True),
        (Exited(137, 201.0, 202.0), Wish(200.0, Goal.LEAVE), True),
        (Exited(0, 201.0, 202.0, stopped=True), Wish(200.0, restart=True), False),
        (Exited(0, 101.0, 102.0), Wish(200.0), False),
        (Created(), Wish(200.0), False),
        (None, Wish(200.0), False),
    ],
    ids=["ended", "stopped", "killed", "being restarted", "about to be started", "created", "runs"],
)
def test_it_goes_when_nothing_starts_it_again(status, wish, goes):
    desired = replace(STACK, wishes={"job": wish})
    observed = world_after(STACK)
    if status is not None:
        observed = changed(observed, "s-job-1", status=status)
    less = without_ended(desired, observed)
    assert (less.container("s-job-1") is None) is goes
    assert less.container("s-web-1") is not None
    assert (less is desired) is not goes
    assert less.request.remove_anonymous is goes


def test_one_with_a_restart_policy_stays():
    desired = stack(service("job", remove_when_ended=True, restart="always"))
    ended = changed(world_after(desired), "s-job-1", status=Exited(0, 201.0, 202.0))
    assert without_ended(desired, ended) is desired
