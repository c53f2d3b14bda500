"""An empty volume is filled with what the image has at its place, once, whole, and as it was there."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestra.driver.local.image.layers.lookup import opaque_attribute
from orchestra.driver.local.volume import fill_volumes, resolve_mounts
from orchestra.driver.local.volume.fill import COPYING, FILLING
from orchestra.model.mount import VolumeMount
from tests.driver.local.volume.conftest import spec

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change owners and make device nodes"),
]


@pytest.fixture
def fill(home, create):
    """Mount s_data at /data of an image of these layers, topmost first; where its data is."""

    def filled(*layers, target="/data", **more):
        data = create()
        mounts = resolve_mounts(home, "s", spec(VolumeMount(target, "s_data", **more)), {})
        fill_volumes(home, mounts, tuple(str(layer) for layer in layers))
        return data

    return filled


@pytest.fixture
def layer(tmp_path):
    def make(name, *files):
        for file in files:
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name}:{file}")
        return tmp_path / name

    return make


def tree(data):
    return {str(path.relative_to(data)): path.read_text() for path in data.rglob("*") if path.is_file()}


def test_everything_comes_as_it_is_in_the_image(fill, layer):
    image = layer("image", "data/file", "data/sub/program")
    there = image / "data"
    os.chown(there, 5, 6)
    there.chmod(0o1770)
    os.chown(there / "sub/program", 7, 8)
    (there / "sub/program").chmod(0o4755)
    os.utime(there / "file", (1000, 2000))
    os.setxattr(there / "file", "user.kept", b"yes")
    (there / "link").symlink_to("/nowhere")
    os.link(there / "file", there / "again")
    os.mkfifo(there / "pipe", 0o600)
    data = fill(image)
    assert sorted(path.name for path in data.iterdir()) == ["again", "file", "link", "pipe", "sub"]
    status = data.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (5, 6, 0o1770)
    status = (data / "sub/program").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (7, 8, 0o4755)
    assert (data / "file").stat().st_mtime == 2000
    assert os.getxattr(data / "file", "user.kept") == b"yes"
    assert os.readlink(data / "link") == "/nowhere"
    assert (data / "again").samefile(data / "file")
    assert stat.S_ISFIFO((data / "pipe").stat().st_mode)
    assert sorted(path.name for path in data.parent.iterdir()) == ["_data", "volume.json"]


def test_layers_are_merged_as_a_container_sees_them(fill, layer):
    low = layer("low", "data/a", "data/b", "data/gone", "data/dir/low", "data/opaque/low", "data/file/was-directory")
    high = layer("high", "data/b", "data/dir/high", "data/opaque/high", "data/file")
    os.mknod(high / "data/gone", stat.S_IFCHR, 0)
    os.setxattr(high / "data/opaque", opaque_attribute(), b"y")
    data = fill(high, low)
    assert tree(data) == {
        "a": "low:data/a",
        "b": "high:data/b",
        "dir/low": "low:data/dir/low",
        "dir/high": "high:data/dir/high",
        "opaque/high": "high:data/opaque/high",
        "file": "high:data/file",
    }
    assert not os.path.lexists(data / "gone")
    assert opaque_attribute() not in os.listxattr(data / "opaque")


def test_the_place_is_found_through_links_of_the_image(fill, layer):
    image = layer("image", "real/file")
    (image / "data").symlink_to("/real")
    assert tree(fill(image)) == {"file": "image:real/file"}


@pytest.mark.parametrize("more", [{"no_copy": True}, {"target": "/missing"}, {"target": "/data/file"}])
def test_there_is_nothing_to_fill_it_with(fill, layer, more):
    assert tree(fill(layer("image", "data/file"), **more)) == {}


def test_what_is_in_a_volume_stays(fill, create, layer):
    (create() / "own").write_text("kept")
    assert tree(fill(layer("image", "data/file"))) == {"own": "kept"}


def test_a_copy_that_a_crash_cut_short_is_begun_again(fill, create, layer):
    half = create().parent / COPYING
    half.mkdir()
    (half / "half").write_text("")
    data = fill(layer("image", "data/file"))
    assert tree(data) == {"file": "image:data/file"}
    assert not half.exists()


def test_a_copy_that_was_complete_is_moved_in_after_a_crash(fill, create, layer):
    data = create()
    (data / "moved").write_text("and written to since")
    (data.parent / FILLING).mkdir()
    (data.parent / FILLING / "moved").write_text("from the image")
    (data.parent / FILLING / "rest").write_text("from the image")
    fill(layer("image", "data/other"))
    assert tree(data) == {"moved": "and written to since", "rest": "from the image"}
    assert not (data.parent / FILLING).exists()


def test_many_at_once_fill_it_once(fill, layer):
    image = layer("image", *(f"data/{number}/file" for number in range(50)))
    with ThreadPoolExecutor() as pool:
        [data] = {future.result() for future in [pool.submit(fill, image) for _ in range(8)]}
    assert len(tree(data)) == 50
    assert sorted(path.name for path in data.parent.iterdir()) == ["_data", "volume.json"]


def test_the_home_itself_is_not_copied_into_a_volume(fill, tmp_path, layer):
    layer("home", "data/stacks/s/log")
    data = fill(tmp_path, target="/home")
    assert tree(data) == {}
    assert sorted(path.name for path in data.iterdir()) == ["data"]
