"""Anonymous volumes: found again by the next container of the name, unless they are left or deleted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from orchestra.driver.local.volume import (
    anonymous_name,
    delete_anonymous_volumes,
    leave_anonymous_volumes,
    observe_volumes,
    remove_volume,
)
from orchestra.driver.local.volume.anonymous import ensure_anonymous_volume


@pytest.fixture
def ensure(home):
    """Make a volume of a container of stack ``s`` unless it is there; its name, and where its data is."""

    def make(container="c1", target="/a"):
        name = ensure_anonymous_volume(home, "s", container, target)
        return name, Path(home.volumes) / name / "_data"

    return make


def test_there_is_one_for_each_place_of_each_container(ensure):
    names = [ensure(*key)[0] for key in (("c1", "/a"), ("c1", "/b"), ("c2", "/a"))]
    assert len(set(names)) == 3
    assert names[0] == anonymous_name("s", "c1", "/a/") == ensure("c1", "/a")[0]


def test_those_of_containers_are_theirs_and_the_rest_the_stacks(home, ensure):
    (mounted, _), (left, _) = ensure("c1"), ensure("c2")
    assert [volume.name for volume in observe_volumes(home, "s", (), {mounted})] == [left]
    assert observe_volumes(home, "other") == ()
    remove_volume(home, "s", left)
    assert observe_volumes(home, "s", (), {mounted}) == ()


def test_an_abandoned_volume_is_hidden_from_the_next_container(home, ensure, volumes):
    name, data = ensure()
    (data / "file").write_text("old")
    leave_anonymous_volumes(home, "s", "c1", [name])
    leave_anonymous_volumes(home, "s", "c1", [name])
    assert list(ensure()[1].iterdir()) == []
    (left,) = (volume.name for volume in observe_volumes(home, "s", (), {name}))
    assert (volumes / left / "_data" / "file").read_text() == "old"
    remove_volume(home, "s", left)
    assert [path.name for path in volumes.iterdir()] == [name]


def test_those_that_are_deleted_are_gone(home, ensure, volumes):
    first, second = ensure("c1", "/a")[0], ensure("c1", "/b")[0]
    began = time.time()
    third = ensure("c1", "/c")[0]
    delete_anonymous_volumes(home, "s", "c1", [first, second, third], since=began)
    assert sorted(path.name for path in volumes.iterdir()) == sorted([first, second])
    delete_anonymous_volumes(home, "s", "c1", [first, second, third])
    assert list(volumes.iterdir()) == []


def test_volumes_with_a_name_are_neither_left_nor_deleted(home, create):
    data = create()
    leave_anonymous_volumes(home, "s", "c1", ["s_data"])
    delete_anonymous_volumes(home, "s", "c1", ["s_data"])
    assert data.is_dir()
