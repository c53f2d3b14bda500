"""Files of a container's own: what is written, for whom, and what cannot be."""

from __future__ import annotations

import os
import stat

import pytest

from orchestra.driver.local.volume import ResolvedMount, resolve_mounts
from orchestra.errors import FatalError
from orchestra.model.mount import FileMount
from tests.driver.local.volume.conftest import spec


@pytest.fixture
def resolve(home):
    def resolved(*mounts):
        return resolve_mounts(home, "s", spec(*mounts), {})

    return resolved


def file(target="/f", source="", **more):
    return FileMount(target, source, **more)


def read(mount: ResolvedMount) -> tuple[bytes, int]:
    with open(mount.source, "rb") as written:
        return written.read(), stat.S_IMODE(os.fstat(written.fileno()).st_mode)


def test_content_is_written_beside_the_bundle_in_a_private_directory(resolve, home):
    [found] = resolve(file(content="straße\n"))
    place = f"{home.stack('s').container('s-web-1')}/files"
    assert found == ResolvedMount("/f", "bind", f"{place}/0", ("rbind", "rprivate"), read_only=True)
    assert read(found) == ("straße\n".encode(), 0o444)
    assert stat.S_IMODE(os.stat(place).st_mode) == 0o700


def test_each_file_has_its_own_mode(resolve, tmp_path):
    (tmp_path / "key").write_bytes(b"\xff\0")
    found = resolve(file("/a", content="", mode=0o4750), file("/b", f"{tmp_path}/key", mode=0o400))
    assert [read(mount) for mount in found] == [(b"", 0o4750), (b"\xff\0", 0o400)]


def test_making_it_again_rewrites_it(resolve):
    resolve(file(content="long and old", mode=0o400))
    [found] = resolve(file(content="new"))
    assert read(found) == (b"new", 0o444)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="another owner needs root")
def test_a_file_has_the_requested_owner(resolve):
    [found] = resolve(file(content="x", uid=70, gid=71, mode=0o6755))
    state = os.stat(found.source)
    assert (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)) == (70, 71, 0o6755)


def test_what_cannot_be_written_is_told(resolve, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for source, message in (
        ("", "service web: secret f is to be mounted at /f, but its variable is not set"),
        (f"{tmp_path}/no", f"service web: {tmp_path}/no is to be mounted at /f: No such file or directory"),
        (str(tmp_path), f"service web: {tmp_path} is to be mounted at /f: Is a directory"),
        (f"{tmp_path}/pipe", f"service web: {tmp_path}/pipe is to be mounted at /f, but is not a file"),
    ):
        with pytest.raises(FatalError) as caught:
            resolve(file(source=source, mode=0o400, declared="secret f"))
        assert caught.value.message == message
