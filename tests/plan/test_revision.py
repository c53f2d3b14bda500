"""What makes a stack another revision, and what is said of it."""

from __future__ import annotations

from orchestra.model.location import Location
from orchestra.model.wish import Goal, Wish
from orchestra.plan.revision import compare, definition, describe, with_images
from orchestra.record import replace
from tests.plan.stacks import service, stack

BEFORE = stack(service("db", volumes=("data",)), service("web", "db", environment={"DEBUG": "0"}))


def changed(after):
    return describe(compare(BEFORE, after))


def moved(spec):
    return replace(spec, location=Location("compose.yaml", 7, 3))


def test_the_first_revision_adds_everything():
    assert describe(compare(None, BEFORE)) == (
        "s_default added",
        "s_data added",
        "s-db-1 added",
        "s-web-1 added",
    )


def test_neither_places_in_the_file_nor_what_a_command_asked_make_another_one():
    elsewhere = replace(
        BEFORE,
        containers=tuple(map(moved, BEFORE.containers)),
        networks=tuple(map(moved, BEFORE.networks)),
        volumes=tuple(map(moved, BEFORE.volumes)),
        wishes={"web": Wish(200.0, Goal.STOP)},
    )
    assert changed(elsewhere) == ()
    assert changed(BEFORE) == ()


def test_attributes_say_how_they_changed():
    after = stack(
        service("db", volumes=("data",)),
        service("web", "db:healthy", environment={"DEBUG": "1"}, config_hash="web v2"),
    )
    (difference,) = compare(BEFORE, after)
    assert [str(change) for change in difference.changes] == [
        'environment.DEBUG: "0" → "1"',
        "depends_on: db (service_started) → db (service_healthy)",
    ]


def test_a_condition_alone_is_a_change_though_nothing_is_replaced_for_it():
    after = stack(service("db", volumes=("data",)), service("web", "db:healthy", environment={"DEBUG": "0"}))
    assert changed(after) == ("s-web-1 changed",)


def test_what_is_gone_comes_last():
    after = stack(service("db"), service("web", "db", environment={"DEBUG": "0"}, replicas=2))
    assert changed(after) == ("s-web-2 added", "s_data removed")


def test_a_definition_is_without_what_single_commands_ask_for():
    asked = replace(BEFORE, wishes={"web": Wish(200.0, Goal.STOP)}, finished=("one",))
    assert definition(asked) == definition(BEFORE)


def test_other_references_are_taken_wherever_an_image_is_named():
    after = with_images(BEFORE, {"app": "sha256:00"})
    assert {spec.image for spec in after.containers} == {"sha256:00"}
    assert [(image.reference, image.pull_policy) for image in after.images] == [("sha256:00", "missing")]
    assert with_images(BEFORE, {"other": "sha256:00"}) == BEFORE
