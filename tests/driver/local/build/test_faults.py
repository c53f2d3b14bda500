"""Full disks and damaged files; and secrets, which are nowhere."""

from __future__ import annotations

import base64
import gzip
import os
import random
from pathlib import Path

import pytest

from orchestra.build.step import ContextFiles, Copy, Run, Scratch, SecretMount
from orchestra.driver.local.build.execute import StepError
from orchestra.driver.local.build.upkeep import forget_builds
from orchestra.driver.local.image.content.check import check_store
from orchestra.driver.local.image.content.collect import collect
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.errors import OrchestraError
from orchestra.home import Home
from orchestra.linux.mounts import mount
from tests.driver.local.build.making import MACHINE, PATH, build, graph, shell
from tests.driver.local.build.test_cache import leftovers
from tests.driver.local.image.making import needs_root

pytestmark = needs_root

SECRET = b"qV7-not-for-anyone"
MIB = 1 << 20


def below(home):
    """All files of a home."""
    for top in home:
        yield from (path for path in Path(top).rglob("*") if path.is_file() and not path.is_symlink())


def contents(path):
    """The bytes of a file, and what they are when they are decompressed."""
    data = path.read_bytes()
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)


def where(home, word):
    return [path for path in below(home) if any(word in data for data in contents(path)) or word in bytes(path)]


def test_a_secret_is_in_no_file_and_in_no_event(home):
    mounts = (SecretMount("s", "/run/secrets/s"), SecretMount("s", None, variable="WORD"))
    using = 'test "$(cat /run/secrets/s)" = "$WORD"; echo found > /made'
    built = build(home, graph(MACHINE, shell(0, using, mounts=mounts)), secrets={"s": SECRET})
    with pytest.raises(StepError) as failed:
        build(home, graph(MACHINE, shell(0, f"{using}; false", mounts=mounts)), secrets={"s": SECRET})
    # The search finds what is there: in the unpacked layer and in the compressed one.
    assert len(where(home, b"found")) >= 2
    for word in (SECRET, base64.b64encode(SECRET)):
        assert where(home, word) == []
        assert word.decode() not in f"{built.events} {failed.value.lines} {failed.value}"
    # Its value is no part of the key: another one makes the same.
    assert build(home, graph(MACHINE, shell(0, using, mounts=mounts)), secrets={"s": b"new"}).made == []


def test_a_full_disk_fails_the_build_and_leaves_nothing_half_made(tmp_path):
    place, context = tmp_path / "small", tmp_path / "context"
    place.mkdir()
    context.mkdir()
    (context / "file").write_bytes(random.Random(1).randbytes(MIB))
    mount.mount("tmpfs", str(place), "tmpfs", 0, "size=64k")
    try:
        home = Home(f"{place}/data", f"{place}/run")
        wanted = graph(Scratch(), ContextFiles(), Copy(0, 1, ("file",), "/one"), Copy(2, 1, ("file",), "/two"))
        messages = []
        for size in range(512, 16 * 1024, 512):
            mount.mount("tmpfs", str(place), "tmpfs", mount.MS_REMOUNT, f"size={size}k")
            try:
                built = build(home, wanted, context)
                break
            except OrchestraError as error:
                messages.append(str(error))
            assert leftovers(home) == []
            assert check_store(home).is_sound
        assert len(messages) > 3
        assert all("No space left on device" in message for message in messages)
        assert {name: len(what) > 80 for name, what in built.files().items()} == {"one": True, "two": True}
        assert check_store(home).is_sound
    finally:
        mount.unmount(str(place))


def test_damaged_records_are_as_good_as_none(home, tmp_path):
    (tmp_path / "context").mkdir()
    for name in "ab":
        (tmp_path / "context" / name).write_text(name)
        os.utime(tmp_path / "context" / name, (1, 1))
    wanted = graph(Scratch(), ContextFiles(), Copy(0, 1, ("a",), "/"), Copy(2, 1, ("b",), "/"))
    first = build(home, wanted, tmp_path / "context")
    chance = random.Random(2)
    for _ in range(20):
        for path in Path(home.builds).rglob("*.json"):
            data = bytearray(path.read_bytes())
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            path.write_bytes(data)
        again = build(home, wanted, tmp_path / "context")
        assert again.made == [2, 3]
        assert again.files() == first.files()


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data[:-9] + bytes(9)], ids=["cut", "other bytes"]
)
def test_damaged_blobs_are_found_and_made_again(home, tmp_path, damage):
    (tmp_path / "file").write_text("content")
    wanted = graph(Scratch(), ContextFiles(), Copy(0, 1, ("file",), "/"))
    first = build(home, wanted, tmp_path, names=("docker.io/library/x:1",))
    for path in Path(home.content).rglob("sha256/*"):
        path.chmod(0o600)
        path.write_bytes(damage(path.read_bytes()))
    assert not check_store(home, repair=True).is_sound
    again = build(home, wanted, tmp_path, names=("docker.io/library/x:1",))
    assert check_store(home).is_sound
    assert again.files() == first.files()


def test_paths_that_are_as_long_as_the_kernel_takes_them(home):
    """Those of the machine to such a file are longer: it can be measured and removed all the same."""
    deep = f"p=; for i in $(seq 20); do p=$p/{'a' * 200}; done; mkdir -p $p; echo x > $p/file"
    assert build(home, graph(MACHINE, shell(0, deep))).made == [1]
    forget_builds(home)
    collect(home)
    assert check_store(home).is_sound
    assert Snapshotter(home).chain_ids() == []


def test_paths_that_are_longer_than_the_kernel_takes_them(home):
    deep = 'cd /; for i in $(seq 30); do mkdir "$0"; cd -P "$0"; done'
    with pytest.raises(StepError, match="File name too long"):
        build(home, graph(MACHINE, Run(0, ("/bin/sh", "-ec", deep, "a" * 200), PATH)))
    assert leftovers(home) == []
