"""What each mount of a file means on this machine."""

from __future__ import annotations

import os

import pytest

from orchestra.container.mounts import open_below
from orchestra.driver.local.volume import ResolvedMount, anonymous_name, check_sources, resolve_mounts
from orchestra.driver.local.volume.options import Place, parse_driver_options
from orchestra.errors import FatalError, TemporaryError
from orchestra.model.container import Dependency
from orchestra.model.mount import BindMount, TmpfsMount, VolumeMount
from orchestra.record import replace
from tests.driver.local.volume.conftest import spec


@pytest.fixture
def resolve(home):
    def resolved(kind, target="/t", *values, **more):
        [found] = resolve_mounts(home, "s", spec(kind(target, *values, **more)), {})
        return found

    return resolved


def test_a_bind(resolve, tmp_path):
    source = str(tmp_path)
    assert resolve(BindMount, "/t", source) == ResolvedMount("/t", "bind", source, ("rbind", "rprivate"))
    assert resolve(BindMount, "/t", source, read_only=True).read_only
    assert resolve(BindMount, "/t", source, propagation="rslave").options == ("rbind", "rslave")


@pytest.mark.parametrize("propagation", ["shared", "rshared", "unbindable", "sideways"])
def test_a_propagation_to_the_host_is_refused(resolve, tmp_path, propagation):
    with pytest.raises(FatalError, match=f"service web: propagation {propagation} of /t is not supported"):
        resolve(BindMount, "/t", str(tmp_path), propagation=propagation)


def test_a_missing_source_is_made_only_where_the_file_allows_it(resolve, tmp_path):
    source = tmp_path / "deep/er"
    with pytest.raises(FatalError, match=f"service web: {source}, to be mounted at /t, does not exist") as caught:
        resolve(BindMount, "/t", str(source))
    assert "bind.create_host_path" in caught.value.hint
    assert not source.exists()
    resolve(BindMount, "/t", str(source), create_host_path=True)
    assert source.is_dir()


def test_a_missing_secret_file_gets_no_hint_to_make_a_directory(resolve, tmp_path):
    with pytest.raises(FatalError, match=f"service web: secret key: {tmp_path}/key, to be mounted at /k") as caught:
        resolve(BindMount, "/k", f"{tmp_path}/key", declared="secret key")
    assert caught.value.hint == "create it, or correct its path"


def test_a_source_that_cannot_be_made_is_named(resolve, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for source in ("file/below", "dangling"):
        with pytest.raises(FatalError, match=f"service web: {tmp_path}/{source}, to be mounted at /t"):
            resolve(BindMount, "/t", f"{tmp_path}/{source}", create_host_path=True)


def test_sources_may_be_files(resolve, tmp_path):
    (tmp_path / "secret").touch()
    assert resolve(BindMount, "/run/secrets/x", f"{tmp_path}/secret", read_only=True).source == f"{tmp_path}/secret"


def test_only_a_procfs_is_mounted_at_proc(resolve, create, tmp_path):
    (tmp_path / "version").touch()
    create()
    for kind, source in ((BindMount, str(tmp_path)), (VolumeMount, "s_data"), (TmpfsMount, "")):
        with pytest.raises(FatalError, match="only a procfs may be mounted at /proc"):
            resolve(kind, "/proc/", source)
    assert resolve(BindMount, "/proc", "/proc").source == "/proc"


def test_a_named_volume(resolve, create):
    data = create()
    expected = ResolvedMount("/t", "bind", str(data), ("rbind", "rprivate"), fills="s_data")
    assert resolve(VolumeMount, "/t", "s_data") == expected
    assert resolve(VolumeMount, "/t", "s_data", no_copy=True, read_only=True).fills == ""


def test_a_volume_that_is_not_there_yet_is_waited_for(resolve):
    with pytest.raises(TemporaryError, match="service web: volume s_data does not exist yet"):
        resolve(VolumeMount, "/t", "s_data")


def test_an_anonymous_volume_is_made_for_the_container(resolve, home, volumes):
    found = resolve(VolumeMount, "/t")
    name = anonymous_name("s", "s-web-1", "/t")
    assert found.source == str(volumes / name / "_data")
    assert found.fills == name
    assert os.path.isdir(found.source)
    assert resolve(VolumeMount, "/t") == resolve(VolumeMount, "/t", name) == found


@pytest.mark.parametrize(
    ("more", "options", "read_only"),
    [
        ({}, ("nosuid", "nodev", "noexec", "mode=1777"), False),
        (
            {"options": ("size=4096", "mode=700"), "read_only": True},
            ("nosuid", "nodev", "noexec", "size=4096", "mode=700"),
            True,
        ),
        ({"options": ("exec", "nosuid")}, ("nodev", "mode=1777", "exec", "nosuid"), False),
        ({"options": ("suid", "dev", "mode=0")}, ("noexec", "suid", "dev", "mode=0"), False),
    ],
)
def test_a_tmpfs(resolve, more, options, read_only):
    expected = ResolvedMount("/t", "tmpfs", "tmpfs", options, read_only)
    assert resolve(TmpfsMount, **more) == expected


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({}, None),
        ({"type": "none", "o": "bind", "device": "/srv"}, Place("bind", "/srv", ("bind",))),
        ({"o": "rbind,ro", "device": "/srv"}, Place("bind", "/srv", ("rbind",), True)),
        ({"type": "bind", "device": "/srv"}, Place("bind", "/srv", ("bind",))),
        ({"type": "none", "o": "bind,nosuid", "device": "/srv"}, Place("bind", "/srv", ("bind", "nosuid"))),
        ({"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=5"}, Place("tmpfs", "tmpfs", ("size=1m", "uid=5"))),
        (
            {"type": "nfs", "o": "addr=10.0.0.1, rw, nolock", "device": ":/export"},
            Place("nfs", ":/export", ("addr=10.0.0.1", "nolock")),
        ),
        ({"type": "nfs", "o": "addr=10.0.0.1,ro", "device": ":/x"}, Place("nfs", ":/x", ("addr=10.0.0.1",), True)),
    ],
)
def test_driver_options(options, place):
    assert parse_driver_options("v", options) == place


def test_a_volume_elsewhere(resolve, create, tmp_path):
    (tmp_path / "srv/sub").mkdir(parents=True)
    create(driver_options={"type": "none", "o": "bind", "device": f"{tmp_path}/srv"})
    expected = ResolvedMount("/t", "bind", f"{tmp_path}/srv", ("bind", "rprivate"))
    assert resolve(VolumeMount, "/t", "s_data") == expected
    assert resolve(VolumeMount, "/t", "s_data", subpath="sub") == replace(expected, subpath="sub")
    (tmp_path / "srv").rename(tmp_path / "moved")
    with pytest.raises(FatalError, match=f"volume s_data: its device {tmp_path}/srv is not a directory"):
        resolve(VolumeMount, "/t", "s_data")


def test_a_volume_of_another_file_system(resolve, create):
    create(driver_options={"type": "nfs", "o": "addr=10.0.0.1", "device": ":/x"})
    expected = ResolvedMount("/t", "nfs", ":/x", ("addr=10.0.0.1",), read_only=True)
    assert resolve(VolumeMount, "/t", "s_data", read_only=True) == expected
    with pytest.raises(FatalError, match="cannot mount a subpath of volume s_data"):
        resolve(VolumeMount, "/t", "s_data", subpath="sub")


@pytest.mark.parametrize(
    ("subpath", "place"), [("sub", "sub"), ("sub/./deep", "sub/deep"), ("link", "sub"), ("absolute", "sub"), ("f", "f")]
)
def test_a_subpath_is_resolved_within_the_volume(resolve, create, subpath, place):
    data = create()
    (data / "sub/deep").mkdir(parents=True)
    (data / "link").symlink_to("sub")
    (data / "absolute").symlink_to("/sub")
    (data / "f").touch()
    found = resolve(VolumeMount, "/t", "s_data", subpath=subpath)
    assert (found.source, found.subpath, found.fills) == (str(data), subpath, "")
    fd = open_below(found.source, subpath, about="/t")
    assert os.readlink(f"/proc/self/fd/{fd}") == str(data / place)
    os.close(fd)


def test_what_a_dependency_may_make_is_looked_for_at_the_start(resolve, create, home, tmp_path):
    create()
    for kind, source, more in (
        (BindMount, f"{tmp_path}/missing", {}),
        (VolumeMount, "s_data", {"subpath": "missing"}),
    ):
        mount = kind("/t", source, **more)
        waiting = replace(spec(mount), depends_on=(Dependency("db"),))
        assert resolve_mounts(home, "s", waiting, {})
        with pytest.raises(FatalError, match="missing"):
            check_sources(home, "s", waiting)
        with pytest.raises(FatalError, match="missing"):
            resolve_mounts(home, "s", spec(mount), {})


def test_a_check_of_sources_makes_nothing(home, tmp_path, create):
    create()
    (tmp_path / "file").touch()
    check_sources(home, "s", spec(BindMount("/t", f"{tmp_path}/new/deep", create_host_path=True)))
    assert not (tmp_path / "new").exists()
    with pytest.raises(FatalError, match="file is not a directory"):
        check_sources(home, "s", spec(BindMount("/t", f"{tmp_path}/file/deep", create_host_path=True)))
    with pytest.raises(TemporaryError):
        check_sources(home, "s", spec(VolumeMount("/t", "s_other")))


@pytest.mark.parametrize("subpath", ["/etc", "..", "sub/../../x", "out", "up", "missing"])
def test_a_subpath_never_leads_out(resolve, create, tmp_path, subpath):
    (tmp_path / "out").mkdir()
    data = create()
    (data / "out").symlink_to(tmp_path / "out")
    (data / "up").symlink_to("../../../../out")
    with pytest.raises(FatalError, match=f"service web: the subpath {subpath} of volume s_data") as caught:
        resolve(VolumeMount, "/t", "s_data", subpath=subpath)
    assert caught.value.hint
