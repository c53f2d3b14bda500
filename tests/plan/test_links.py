"""Which action of a plan comes after which, for its drawing."""

from __future__ import annotations

from orchestra.model.observed import Observed
from orchestra.plan.links import steps_of
from orchestra.plan.preview import preview
from orchestra.record import replace
from tests.plan.stacks import going_down, service, stack

STACK = stack(service("db", volumes=("data",)), service("web", "db"))


def drawn(desired, observed):
    """Each action with those that it follows."""
    steps = steps_of(preview(desired, observed, 100.0), desired, observed)
    names = [f"{step.verb} {step.resource.name}" for step in steps]
    return {name: [names[place] for place in step.after] for name, step in zip(names, steps, strict=True)}


def up():
    return preview(STACK, Observed("s"), 100.0).observed


def test_what_a_container_needs_comes_before_it():
    assert drawn(STACK, Observed("s")) == {
        "pull app": [],
        "create s_data": [],
        "create s_default": [],
        "create s-db-1": ["pull app", "create s_data", "create s_default"],
        "create s-web-1": ["pull app", "create s_default"],
        "start s-db-1": ["create s-db-1"],
        "start s-web-1": ["create s-web-1", "start s-db-1"],
    }


def test_what_depends_on_a_container_leaves_before_it_and_networks_last():
    assert drawn(going_down(STACK), up()) == {
        "stop s-web-1": [],
        "remove s-web-1": ["stop s-web-1"],
        "stop s-db-1": ["stop s-web-1"],
        "remove s-db-1": ["stop s-db-1", "remove s-web-1"],
        "remove s_default": ["remove s-web-1", "remove s-db-1"],
    }


def test_a_replacement_is_a_chain():
    spec = replace(STACK.container("s-db-1"), config_hash="db v2")
    after = replace(STACK, containers=(spec, STACK.container("s-web-1")))
    assert drawn(after, up()) == {
        "stop s-db-1": [],
        "remove s-db-1": ["stop s-db-1"],
        "create s-db-1": ["remove s-db-1"],
        "start s-db-1": ["create s-db-1"],
    }
