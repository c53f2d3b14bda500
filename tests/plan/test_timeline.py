"""Where time went: phases from events, and the path that decided about the whole."""

from __future__ import annotations

from typing import get_args

import pytest

from orchestra.model.event import ActionEvent, AskedEvent, ContainerEvent, ConvergedEvent, HealthEvent, Phase
from orchestra.model.health import Health, HealthStatus
from orchestra.model.request import Step
from orchestra.model.resource import ResourceId
from orchestra.model.revision import Author
from orchestra.plan.action import Action
from orchestra.plan.timeline import Part, Segment, between, last_up
from tests.plan.stacks import service, stack

STACK = stack(service("db", healthy=True), service("web", "db:healthy"), service("quick"))
NETWORK = ResourceId.network("s_default")


def act(resource, verb, began, ended, phase=Phase.DONE):
    yield ActionEvent(began, verb, resource, Phase.STARTED)
    yield ActionEvent(ended, verb, resource, phase)


def of(name):
    return ResourceId.container(f"s-{name}-1")


def events():
    found = [
        AskedEvent(2.0, Author("root", "up"), (Step("load", 0.0, 2.0),)),
        ConvergedEvent(2.5, wanted_at=1.0),  # what was desired before
        *act(NETWORK, "create", 3.0, 4.0),
        *act(of("quick"), "create", 4.0, 4.5),
        *act(of("db"), "create", 4.0, 5.0),
        *act(of("web"), "create", 4.0, 6.0),
        *act(of("db"), "start", 5.0, 7.0),
        ContainerEvent(7.0, "s-db-1", "db", "started"),
        *act(of("quick"), "start", 5.0, 9.5),
        HealthEvent(10.0, "s-db-1", "db", Health(HealthStatus.HEALTHY)),
        *act(of("web"), "start", 10.5, 11.0),
        ContainerEvent(11.0, "s-web-1", "web", "started"),
        ConvergedEvent(11.0, wanted_at=2.1),
        *act(of("quick"), "stop", 20.0, 21.0),
    ]
    return sorted(found, key=lambda event: event.at)


def test_the_critical_path_goes_back_through_what_each_phase_waited_for_and_fills_the_time():
    found = last_up(events(), STACK)
    assert (found.began, found.ended) == (0.0, 11.0)
    assert [(each.subject.rpartition("/")[2], each.part, each.seconds) for each in found.path] == [
        ("up", Part.LOAD, 2.0),
        ("supervisor", Part.IDLE, 1.0),
        ("s_default", Part.CREATE, 1.0),
        ("s-db-1", Part.CREATE, 1.0),
        ("s-db-1", Part.START, 2.0),
        ("s-db-1", Part.HEALTH, 3.0),
        ("supervisor", Part.IDLE, 0.5),
        ("s-web-1", Part.START, 0.5),
    ]
    assert sum(each.seconds for each in found.path) == pytest.approx(found.seconds)
    assert Segment("container/s-web-1", Part.DEPENDENCIES, 6.0, 10.5) in found.segments


def test_a_span_of_time_is_cut_out_and_filled_too():
    found = between(events(), STACK, 6.5, 15.0)
    assert (found.path[0].began, found.path[-1].ended) == (6.5, 15.0)
    assert sum(each.seconds for each in found.path) == pytest.approx(8.5)
    assert all(6.5 <= each.began <= each.ended <= 15.0 for each in found.segments)


def test_what_is_not_over_is_cut_off_and_what_failed_is_marked():
    broken = [event for event in events() if event.at < 10.0 and not isinstance(event, ConvergedEvent)]
    found = last_up(broken, STACK)
    assert found.ended == 9.5
    assert {each.part for each in found.segments if each.failed} == {Part.HEALTH, Part.DEPENDENCIES}
    failed = [*broken, *act(of("web"), "start", 9.6, 9.9, Phase.FAILED)]
    assert last_up(failed, STACK).segments[-1].failed
    assert last_up([], STACK) is None


def test_every_action_is_a_phase():
    assert {action.verb for action in get_args(Action)} <= set(Part)
