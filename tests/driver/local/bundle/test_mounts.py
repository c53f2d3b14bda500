"""Which mounts there are, and that their order hides none."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.driver.local.volume import ResolvedMount
from orchestra.errors import FatalError
from orchestra.model.sharing import Bare, Host
from tests.driver.local.bundle.containers import render


def bind(target, source="/src", **more):
    return ResolvedMount(target, "bind", source, ("rbind", "rprivate"), **more)


def destinations(config):
    return [entry["destination"] for entry in config["mounts"]]


def entry(config, destination):
    [found] = [entry for entry in config["mounts"] if entry["destination"] == destination]
    return found


def test_mounts_come_by_depth_behind_what_is_always_there():
    mounts = [bind("/srv/a/b"), bind("/srv"), bind("/etc"), bind("/dev/extra"), bind("/srv/a/")]
    assert destinations(render(mounts=mounts))[7:] == [
        "/srv",
        "/etc",
        "/dev/extra",
        "/srv/a",
        "/etc/hosts",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/srv/a/b",
    ]


@pytest.mark.parametrize(("below", "word"), [(False, "rro"), (True, "ro")])
def test_a_read_only_bind_may_leave_the_mounts_below_it_writable(below, word):
    mount = bind("/srv", read_only=True, writable_below=below)
    assert entry(render(mounts=[mount]), "/srv")["options"] == ["rbind", "rprivate", word]


@pytest.mark.parametrize(
    ("target", "gone"),
    [
        ("/dev", {"/dev/pts", "/dev/shm", "/dev/mqueue"}),
        ("/sys", {"/sys/fs/cgroup"}),
        ("/sys/fs", {"/sys/fs/cgroup"}),
        ("/proc", set()),
        ("/dev/shm", set()),
        ("/etc/hosts", set()),
        ("/etc", set()),
    ],
)
def test_what_is_asked_for_takes_the_place_of_what_is_always_there(target, gone):
    config = render(mounts=[bind(target)])
    assert entry(config, target)["source"] == "/src"
    assert {*destinations(render()), target} - set(destinations(config)) == gone


def test_two_mounts_at_one_place_are_one_as_the_last_says():
    config = render(mounts=[bind("/a", "/first"), bind("/b"), bind("/a/", "/last")])
    assert entry(config, "/a")["source"] == "/last"


@pytest.mark.parametrize("target", ["/proc/sys", "/proc/1", "/proc//sysrq-trigger/", "/sys/../proc/self/attr"])
def test_nothing_is_mounted_inside_proc(target):
    with pytest.raises(FatalError, match=f"service web: {target} is inside /proc"):
        render(mounts=[bind(target)])


@pytest.mark.parametrize("target", ["/proc/cpuinfo", "/proc/meminfo", "/proc/uptime", "/procfs"])
def test_what_lxcfs_shows_differently_may_be_mounted(target):
    assert entry(render(mounts=[bind(target)]), target)["source"] == "/src"


@pytest.mark.parametrize("target", ["/", "", "relative", "/..", "/a/.."])
def test_a_place_where_nothing_can_be_mounted(target):
    with pytest.raises(FatalError, match="service web: cannot mount anything at"):
        render(mounts=[bind(target)])


def test_a_target_stays_below_the_root():
    assert "/b/c" in destinations(render(mounts=[bind("/a/../../b//c/.")]))


@pytest.mark.parametrize(
    ("mount", "options"),
    [
        (bind("/t"), ["rbind", "rprivate"]),
        (bind("/t", read_only=True), ["rbind", "rprivate", "rro"]),
        (ResolvedMount("/t", "tmpfs", "tmpfs", ("mode=1777",)), ["mode=1777"]),
        (ResolvedMount("/t", "tmpfs", "tmpfs", ("mode=1777",), True), ["mode=1777", "ro"]),
        (ResolvedMount("/t", "nfs", ":/x", ("addr=10.0.0.1",), True), ["addr=10.0.0.1", "ro"]),
    ],
)
def test_read_only_is_said_as_the_kind_of_mount_needs_it(mount, options):
    found = entry(render(mounts=[mount]), "/t")
    assert found["options"] == options
    assert (found["type"], found["source"]) == (mount.kind, mount.source)


@pytest.mark.parametrize(
    ("more", "shm", "mqueue"),
    [
        ({}, "size=67108864", True),
        ({"shm_size": 1 << 20}, "size=1048576", True),
        ({"ipc": Host()}, "rbind", True),
        ({"ipc": Bare()}, None, False),
    ],
)
def test_shared_memory(more, shm, mqueue):
    config = render(**more)
    found = [entry for entry in config["mounts"] if entry["destination"] == "/dev/shm"]
    assert bool(found) is (shm is not None)
    assert all(shm in entry["options"] for entry in found)
    assert ("/dev/mqueue" in destinations(config)) is mqueue


NAMES = ("dev", "pts", "shm", "sys", "fs", "cgroup", "etc", "hosts", "proc", "a", "b")
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
targets = st.lists(paths.filter(lambda path: not path.startswith("/proc/")))


@given(targets)
def test_no_mount_is_hidden_by_a_later_one(targets):
    found = destinations(render(mounts=[bind(target) for target in targets]))
    assert len(found) == len(set(found))
    for index, later in enumerate(found):
        for earlier in found[:index]:
            assert posixpath.commonpath((later, earlier)) != later
    assert set(targets) <= set(found)


@given(targets)
def test_whatever_is_mounted_proc_and_a_root_of_devices_are_there(targets):
    found = destinations(render(mounts=[bind(target) for target in targets]))
    assert {"/proc", "/dev", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"} <= set(found)
