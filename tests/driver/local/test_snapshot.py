"""Snapshots, mounted for real in mount namespaces of the tests' own."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestra.driver.local.snapshot import ContainerSnapshot, Snapshotter
from orchestra.errors import FatalError
from orchestra.home import Home
from orchestra.linux.mounts import mount

from .image.making import in_mount_namespace, mount_snapshot, needs_root, tree

pytestmark = needs_root

CHAIN = "sha256:" + "ab" * 32


@pytest.fixture
def home(tmp_path):
    return Home(f"{tmp_path}/home/data", f"{tmp_path}/home/run")


@pytest.fixture
def snapshots(home):
    return Snapshotter(home)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def commit(snapshots, number, fill=lambda path: None):
    return snapshots.commit(f"sha256:{number:064x}", fill)


def writing(name, content="x"):
    return lambda path: Path(path, name).write_text(content)


def in_snapshot(mounts, root, work):
    def run():
        mount_snapshot(mounts, root)
        return work(root)

    return in_mount_namespace(run)


def names(path):
    return sorted(os.listdir(path))


def test_a_container_sees_its_layers_and_keeps_what_it_writes(snapshots, root, home):
    lower, upper = commit(snapshots, 1, writing("a", "low")), commit(snapshots, 2, writing("b"))

    def change(path):
        (path / "a").write_text("changed")
        (path / "b").unlink()
        return names(path)

    mounts = snapshots.prepare("s", "s-web-1", [upper, lower])
    assert in_snapshot(mounts, root, change) == ["a"]
    assert in_snapshot(mounts, root, lambda path: (path / "a").read_text()) == "changed"
    assert Path(lower, "a").read_text() == "low"
    assert names(upper) == ["b"]


def test_preparing_again_starts_over(snapshots, root):
    layer = commit(snapshots, 1, writing("a"))
    mounts = snapshots.prepare("s", "s-web-1", [layer])
    in_snapshot(mounts, root, lambda path: (path / "left").write_text("over"))
    assert in_snapshot(snapshots.prepare("s", "s-web-1", [layer]), root, names) == ["a"]


def test_the_root_a_container_sees_is_as_the_image_has_it(snapshots, root):
    def fill(path):
        os.chown(path, 12, 34)
        os.chmod(path, 0o1771)

    mounts = snapshots.prepare("s", "s-web-1", [commit(snapshots, 1, fill)])
    found = in_snapshot(mounts, root, lambda path: [path.stat().st_uid, path.stat().st_gid, path.stat().st_mode])
    assert found == [12, 34, stat.S_IFDIR | 0o1771]


@pytest.mark.parametrize("count", [1, 3])
def test_a_view_cannot_be_written(snapshots, root, count):
    layers = [commit(snapshots, number, writing(str(number))) for number in range(count)]

    def attempt(path):
        with pytest.raises(OSError, match="Read-only"):
            (path / "new").touch()
        return names(path)

    assert in_snapshot(snapshots.view(layers), root, attempt) == [str(number) for number in range(count)]


def test_a_hundred_layers_fit_a_path_as_long_as_the_systems(tmp_path, root):
    def run():
        short = "/mnt"
        mount.mount(str(tmp_path), short, flags=mount.MS_BIND)
        data = "/mnt/" + "d" * (len("/var/lib/orchestra") - len("/mnt/"))
        snapshots = Snapshotter(Home(data, "/mnt/run"))
        layers = [commit(snapshots, number, writing(str(number))) for number in range(100)]
        mounts = snapshots.prepare("guestbook", "guestbook-database-1", layers)
        mount_snapshot(mounts, root)
        return len(names(root)), len(",".join(mounts[0]["options"]))

    count, size = in_mount_namespace(run)
    assert count == 100
    assert size < 4096


def test_more_layers_than_fit_are_refused_before_mounting(snapshots):
    layers = [f"{snapshots.layer(f'sha256:{number:064x}')}" for number in range(300)]
    os.makedirs(layers[0])
    with pytest.raises(FatalError, match="mount options") as caught:
        snapshots.prepare("s", "s-web-1", layers)
    assert "ORCHESTRA_HOME" in caught.value.hint


def test_layers_whose_short_names_collide_get_longer_ones(snapshots, root, home, monkeypatch):
    monkeypatch.setattr("orchestra.driver.local.snapshot.SHORT", 1)
    layers = [commit(snapshots, number, writing(str(number))) for number in range(30)]
    mounts = snapshots.prepare("s", "s-web-1", layers)
    assert len(in_snapshot(mounts, root, names)) == 30
    assert snapshots.prepare("s", "s-web-1", layers) == mounts


@pytest.mark.parametrize(
    "name", ["with,comma", "with:colon", "with\\backslash", "with space", "with\nnewline", "ümlaut"]
)
def test_trees_of_any_name_can_be_mounted(snapshots, root, tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "file").touch()
    mounts = snapshots.prepare("s", "s-web-1", [str(tmp_path / name)])
    assert in_snapshot(mounts, root, names) == ["file"]


def test_a_home_that_no_option_can_name_is_refused(tmp_path):
    with pytest.raises(FatalError, match="overlayfs options") as caught:
        Snapshotter(Home(f"{tmp_path}/a:b", f"{tmp_path}/run")).prepare("s", "n", ["/"])
    assert "ORCHESTRA_HOME" in caught.value.hint


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a:b", "a,b", "a\\b", "a\0"])
def test_names_that_would_lead_elsewhere_are_refused(snapshots, name):
    for call in (lambda: snapshots.prepare("s", name, ["/"]), lambda: snapshots.remove(name, "n")):
        with pytest.raises(FatalError, match="is not a valid snapshot name"):
            call()


def test_on_this_machines_own_userland_the_home_cannot_be_seen(snapshots, root, home):
    secret = Path(home.data, "volumes/secret")
    secret.parent.mkdir(parents=True)
    secret.write_text("other")
    Path(home.run).mkdir()
    Path(home.run, "config.json").write_text("{}")
    os.chmod(home.data, 0o710)
    mounts = snapshots.prepare("s", "s-web-1", ["/"])

    def look(path):
        seen = [names(f"{path}{home.data}"), names(f"{path}{home.run}"), names(f"{path}/etc") == names("/etc")]
        # What hides it is not the container's to take away.
        data = Path(f"{path}{home.data}")
        assert os.listxattr(data) == []
        data.rmdir()
        data.mkdir()
        return [*seen, names(data)]

    assert in_snapshot(mounts, root, look) == [[], [], True, []]
    assert secret.read_text() == "other"


def test_the_way_to_what_is_hidden_looks_as_it_does_on_the_host(snapshots, root, home):
    os.makedirs(home.data)
    places = [Path(home.data), *Path(home.data).parents][:-1]
    os.chown(places[1], 77, 88)
    mounts = snapshots.prepare("s", "s-web-1", ["/"])

    def look(path):
        return [
            [place.stat().st_mode, place.stat().st_uid, place.stat().st_gid]
            for place in (Path(f"{path}{item}") for item in places)
        ]

    host = [[place.stat().st_mode, place.stat().st_uid, place.stat().st_gid] for place in places]
    assert in_snapshot(mounts, root, look) == host


def test_a_home_behind_a_link_is_hidden_where_it_really_is(tmp_path, root):
    (tmp_path / "real/data/secret").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    home = Home(f"{tmp_path}/link/data", f"{tmp_path}/link/run")
    mounts = Snapshotter(home).prepare("s", "s-web-1", ["/"])
    assert in_snapshot(mounts, root, lambda path: names(f"{path}{tmp_path}/real/data")) == []


def test_a_tree_that_is_the_home_is_refused(snapshots, home):
    os.makedirs(home.data)
    with pytest.raises(FatalError, match="own directory"):
        snapshots.prepare("s", "s-web-1", [home.data])


def test_a_tree_with_the_home_in_it_cannot_be_viewed(snapshots, home):
    os.makedirs(home.data)
    with pytest.raises(FatalError, match="own files"):
        snapshots.view(["/"])


def test_trusted_attributes_that_are_not_permitted_are_said_so(snapshots, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setxattr", refuse)
    with pytest.raises(FatalError, match=r"trusted\.overlay\.opaque is not permitted") as caught:
        snapshots.prepare("s", "s-web-1", ["/"])
    assert "another image" in caught.value.hint


def test_removing_takes_everything_and_then_the_empty_stack(snapshots, root, home):
    layer = commit(snapshots, 1, writing("a"))
    for name in ("s-web-1", "s-web-2"):
        in_snapshot(snapshots.prepare("s", name, [layer]), root, lambda path: (path / "a").unlink())
    containers = Path(home.snapshots, "containers")
    assert "work" in names(containers / "s/s-web-1/work")
    snapshots.remove("s", "s-web-1")
    assert names(containers / "s") == ["s-web-2"]
    snapshots.remove("s", "s-web-2")
    snapshots.remove("s", "s-web-2")
    assert names(containers) == []
    assert Path(layer, "a").exists()


def test_a_snapshot_with_something_mounted_in_it_is_not_removed(snapshots, root, home, tmp_path):
    snapshots.prepare("s", "s-web-1", [commit(snapshots, 1)])
    inside = Path(home.snapshots, "containers/s/s-web-1/fs/inside")
    inside.mkdir()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()

    def attempt():
        mount.mount(str(tmp_path / "precious"), str(inside), flags=mount.MS_BIND)
        with pytest.raises(FatalError) as caught:
            snapshots.remove("s", "s-web-1")
        return caught.value.hint

    assert "mounted" in in_mount_namespace(attempt)
    assert (tmp_path / "precious/file").exists()


def test_leftovers_are_what_no_living_container_accounts_for(snapshots):
    layer = commit(snapshots, 1)
    assert snapshots.leftovers({}) == []
    for stack, name in (("b", "b-web-1"), ("a", "a-web-2"), ("a", "a-web-1")):
        snapshots.prepare(stack, name, [layer])
    assert snapshots.leftovers({"a": {"a-web-1"}}) == [
        ContainerSnapshot("a", "a-web-2"),
        ContainerSnapshot("b", "b-web-1"),
    ]
    for left in snapshots.leftovers({"a": {"a-web-1"}}):
        snapshots.remove(*left)
    assert snapshots.leftovers({"a": {"a-web-1"}}) == []


def test_a_layer_is_filled_once(snapshots):
    first = snapshots.commit(CHAIN, writing("a"))
    assert snapshots.commit(CHAIN, writing("never")) == first == snapshots.layer(CHAIN)
    assert names(first) == ["a"]
    assert snapshots.has(CHAIN)


def test_a_layer_that_cannot_be_filled_leaves_nothing(snapshots, home):
    def fail(path):
        Path(path, "half").touch()
        raise FatalError("damaged")

    with pytest.raises(FatalError, match="damaged"):
        snapshots.commit(CHAIN, fail)
    assert not snapshots.has(CHAIN)
    assert names(f"{home.snapshots}/layers") == []


def test_what_a_crash_left_of_a_layer_is_removed_unless_it_is_being_filled(snapshots, home):
    layers = Path(home.snapshots, "layers")

    def fill(path):
        Path(path, "new").touch()
        (layers / ("cd" * 32 + ".new") / "old").mkdir(parents=True)
        snapshots.remove_unfinished()
        assert names(layers) == [Path(path).name]

    snapshots.commit(CHAIN, fill)
    assert names(layers) == ["ab" * 32]
    assert tree(layers / ("ab" * 32)).keys() == {"new"}


def test_strangers_cannot_reach_programs_in_layers(snapshots, home):
    commit(snapshots, 1)
    assert stat.S_IMODE(os.stat(home.snapshots).st_mode) == 0o700


def test_a_snapshot_is_made_while_the_last_other_one_goes(home, tmp_path):
    """Removing the last snapshot of a stack takes the stack's directory away, where another is just being made."""
    layer = tmp_path / "layer"
    layer.mkdir()
    snapshots = Snapshotter(home)

    def repeat(name):
        for _ in range(200):
            snapshots.prepare("s", name, [str(layer)])
            snapshots.remove("s", name)

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(repeat, name) for name in ("a", "b", "c")]:
            done.result()
