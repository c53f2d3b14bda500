"""Volumes are made whole, found again, and removed by their owner only, data and all."""

from __future__ import annotations

import ctypes
import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.driver.local.volume import (
    create_volume,
    observe_volumes,
    remove_volume,
    store,
)
from orchestra.errors import FatalError, StillInUse
from orchestra.model.desired import VolumeSpec
from orchestra.model.observed import Volume

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
libc = ctypes.CDLL(None, use_errno=True)


def left(volumes):
    """What is there besides volumes."""
    return sorted(path.name for path in volumes.iterdir() if path.name.startswith("."))


def test_a_volume_is_a_directory_with_its_record_beside(home, create):
    data = create(config_hash="h", labels={"l": "v"}, driver_options={"type": "tmpfs", "device": "tmpfs"})
    assert list(data.iterdir()) == []
    assert data.stat().st_mode & 0o7777 == 0o755
    record = json.loads((data.parent / "volume.json").read_text())
    assert record.pop("created_at") > 1e9
    assert record == {
        "name": "s_data",
        "stack": "s",
        "config_hash": "h",
        "labels": {"l": "v"},
        "driver_options": {"type": "tmpfs", "device": "tmpfs"},
    }
    assert observe_volumes(home, "s") == (Volume("s_data", "h"),)


def test_creating_again_leaves_data_and_definition(home, create):
    data = create(config_hash="first")
    (data / "file").write_text("kept")
    create(config_hash="second")
    assert (data / "file").read_text() == "kept"
    assert observe_volumes(home, "s") == (Volume("s_data", "first"),)


def test_a_volume_of_another_stack_is_not_taken(create):
    create(stack="other")
    with pytest.raises(FatalError, match="volume s_data belongs to stack other") as caught:
        create()
    assert "external: true" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["", "a", ".", "..", ".new", "-a", "_a", "a/b", "../a", "a b", "ä1", "a\0b", "a" * 256]
)
def test_a_name_that_no_directory_can_have(home, create, volumes, name):
    for call in (lambda: create(name), lambda: remove_volume(home, "s", name)):
        with pytest.raises(FatalError, match="is not a valid volume name"):
            call()
    assert not volumes.exists()


@given(st.text(max_size=300))
def test_every_name_that_passes_is_one_entry_of_a_directory(name):
    try:
        store.check_name(name)
    except FatalError:
        return
    assert os.path.basename(os.path.normpath(f"/volumes/{name}")) == name
    assert not name.startswith(".")
    assert len(os.fsencode(name)) <= 255


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"driver": "rexray"}, "unknown volume driver rexray"),
        ({"driver_options": {"size": "1g"}}, "unknown driver option size"),
        ({"driver_options": {"type": "nfs"}}, "need type and device"),
        ({"driver_options": {"device": "/x"}}, "need type and device"),
        ({"driver_options": {"o": "bind", "device": "data"}}, "the device data is not an absolute path"),
    ],
)
def test_a_volume_that_cannot_be_made(create, volumes, more, message):
    with pytest.raises(FatalError, match=f"volume s_data: .*{message}") as caught:
        create(**more)
    assert caught.value.hint
    assert not volumes.exists()


def test_what_a_crash_left_of_a_creation_is_in_nobodys_way(home, create, volumes):
    (volumes / ".new/_data").mkdir(parents=True)
    (volumes / ".new/volume.json").write_text('{"name": "half')
    assert observe_volumes(home, "s") == ()
    create()
    assert left(volumes) == []
    assert observe_volumes(home, "s") == (Volume("s_data"),)


def test_many_at_once_make_one(home, volumes):
    spec = VolumeSpec(key="data", name="s_data")
    threads = [threading.Thread(target=create_volume, args=(home, "s", spec)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in volumes.iterdir()] == ["s_data"]


def test_a_directory_that_is_no_volume_is_left_alone(home, create, volumes):
    (volumes / "s_data").mkdir(parents=True)
    (volumes / "s_data/precious").write_text("kept")
    with pytest.raises(FatalError, match="volume s_data cannot be created") as caught:
        create()
    assert str(volumes / "s_data") in caught.value.hint
    remove_volume(home, "s", "s_data")
    assert (volumes / "s_data/precious").read_text() == "kept"
    assert left(volumes) == []


def test_a_damaged_record_hides_one_volume_and_harms_no_other(home, create, volumes):
    create("s_good")
    data = create("s_bad")
    (data / "file").write_text("kept")
    (volumes / "s_bad/volume.json").write_text("{")
    assert observe_volumes(home, "s") == (Volume("s_good"),)
    for call in (lambda: create("s_bad"), lambda: remove_volume(home, "s", "s_bad")):
        with pytest.raises(FatalError, match=r"volume s_bad: .*/volume.json is damaged"):
            call()
    assert (data / "file").read_text() == "kept"


def test_externals_are_seen_when_named_and_there(home, create):
    create("theirs", stack="other", config_hash="o")
    create("s_own")
    assert observe_volumes(home, "s") == (Volume("s_own"),)
    assert observe_volumes(home, "s", ("theirs", "missing", "../x")) == (
        Volume("s_own"),
        Volume("theirs", "o", external=True),
    )


def test_an_own_volume_named_as_external_is_external(home, create):
    create()
    assert observe_volumes(home, "s", ("s_data",)) == (Volume("s_data", external=True),)


def test_removing_takes_the_data_and_twice_is_as_good_as_once(home, create, volumes):
    data = create()
    (data / "deep/er").mkdir(parents=True)
    (data / "deep/er/file").write_text("x")
    (data / "deep").chmod(0)
    remove_volume(home, "s", "s_data")
    remove_volume(home, "s", "s_data")
    assert list(volumes.iterdir()) == []


def test_removing_follows_no_link(home, create, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("kept")
    data = create()
    (data / "link").symlink_to(outside)
    (data / "file").symlink_to(outside / "file")
    remove_volume(home, "s", "s_data")
    moved = create()
    moved.rmdir()
    moved.symlink_to(outside)
    remove_volume(home, "s", "s_data")
    create().parent.rename(tmp_path / "elsewhere")
    Path(home.volumes, "s_data").symlink_to(tmp_path / "elsewhere")
    remove_volume(home, "s", "s_data")
    assert (outside / "file").read_text() == "kept"
    assert (tmp_path / "elsewhere/_data").is_dir()
    assert list(Path(home.volumes).iterdir()) == []


def test_others_volumes_are_not_removed(home, create):
    data = create(stack="other")
    with pytest.raises(FatalError, match="volume s_data belongs to stack other"):
        remove_volume(home, "s", "s_data")
    assert data.is_dir()


def test_a_volume_in_use_by_any_stack_is_not_removed(home, create):
    data = create()
    create("s_data2")
    directory = Path(home.stack("other").container("other-db-1"))
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps({"mounts": [{"source": str(data / "sub")}, {"source": "tmpfs"}]}))
    with pytest.raises(StillInUse, match="volume s_data is still in use by container other-db-1 of stack other"):
        remove_volume(home, "s", "s_data")
    assert data.is_dir()
    remove_volume(home, "s", "s_data2")
    (directory / "config.json").unlink()
    remove_volume(home, "s", "s_data")
    assert not data.exists()


def test_what_a_crash_left_of_a_removal_goes_with_the_next(home, create, volumes):
    create().parent.rename(volumes / ".removed-0123")
    assert observe_volumes(home, "s") == ()
    remove_volume(home, "s", "s_data")
    assert left(volumes) == []


@needs_root
@pytest.mark.root
def test_what_is_mounted_in_a_volume_keeps_it_whole(home, create, tmp_path):
    data = create()
    (data / "file").write_text("kept")
    (data / "point").mkdir()
    (tmp_path / "other").mkdir()
    assert libc.mount(os.fsencode(tmp_path / "other"), os.fsencode(data / "point"), None, 4096, None) == 0
    try:
        with pytest.raises(FatalError, match="volume s_data: something is mounted at") as caught:
            remove_volume(home, "s", "s_data")
        assert caught.value.hint == f"umount {data}/point"
        assert (data / "file").read_text() == "kept"
    finally:
        assert libc.umount2(os.fsencode(data / "point"), 2) == 0
    remove_volume(home, "s", "s_data")


def test_without_a_home_there_is_nothing(home):
    assert observe_volumes(home, "s", ("x1",)) == ()
    remove_volume(home, "s", "s_data")
