"""A volume is never replaced, because its data would be lost: that its definition changed is only told."""

from __future__ import annotations

import pytest

from orchestra.model.observed import Observed
from orchestra.plan import replacement
from orchestra.plan.preview import preview
from orchestra.plan.volumes import changed_volumes
from orchestra.record import replace
from tests.plan.stacks import service, stack

STACK = stack(service("db", volumes=("data",)))


def defined(config_hash, **fields):
    (volume,) = STACK.volumes
    return replace(STACK, volumes=(replace(volume, config_hash=config_hash, **fields),))


def made_from(config_hash):
    return preview(defined(config_hash), Observed("s"), 100.0).observed


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("v1", defined("v2"), ("s_data",)),
        ("v1", defined("v1"), ()),
        ("", defined("v2"), ()),
        ("v1", defined("v2", external=True), ()),
    ],
    ids=["changed", "the same", "made by hand", "external"],
)
def test_what_has_changed(before, after, kept):
    assert changed_volumes(after, made_from(before)) == kept


def test_nothing_is_done_about_it_but_it_is_told():
    assert preview(defined("v2"), made_from("v1"), 200.0).rounds == ()
    told = replacement.render_text([], (), ("s_data",))
    assert told == "kept     volume/s_data  its definition changed, but its data must be moved first\n"
    assert replacement.render_data([], (), ("s_data",))["kept"] == ["s_data"]
