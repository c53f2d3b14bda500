"""Copies of what is hostile: nothing of it reaches a file outside of where it belongs."""

from __future__ import annotations

import io
import os
import tarfile
import threading

import pytest

from orchestra.driver.local.copying.archive import read_archive, write_archive
from orchestra.driver.local.copying.place import Host, Inside, find_destination, find_directory, find_origin
from orchestra.driver.local.copying.reading import Reader
from orchestra.driver.local.copying.writing import Ownership, Writer, write
from orchestra.errors import OrchestraError, UserError
from tests.driver.local.image.making import directory, entry, hard_link, layer, link, needs_root

pytestmark = needs_root

SECRET = "the host's own"


@pytest.fixture
def host(tmp_path):
    """A directory with a file that no copy may read or change, beside the container's root."""
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/tmp").mkdir()
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "out").mkdir()
    yield tmp_path
    assert (tmp_path / "secret").read_text() == SECRET
    assert sorted(os.listdir(tmp_path)) == ["out", "root", "secret"]


@pytest.fixture
def inside(host):
    root = os.open(host / "root", os.O_PATH | os.O_DIRECTORY)
    yield Inside(root, "web-1")
    os.close(root)


def unpack(inside, *entries, path="/tmp", kept=False):
    warnings = []
    writer = Writer(find_directory(inside, path), Ownership(kept, False), warnings.append)
    try:
        write(read_archive(io.BufferedReader(io.BytesIO(layer(*entries))), "the archive"), [writer])
    finally:
        writer.close()
    return warnings


def copy_out(inside, host, path, target="out"):
    origin = find_origin(inside, path, follow=True)
    writer = Writer(find_destination(Host(str(host)), target, origin), Ownership(False, False), [].append)
    try:
        write(Reader(origin.fd).walk(), [writer])
    finally:
        writer.close()
        os.close(origin.fd)


@pytest.mark.parametrize("name", ["../secret", "a/../../../secret", "../../secret", "/../secret"])
def test_names_that_lead_up_are_refused(inside, host, name):
    with pytest.raises(OrchestraError, match="leads out"):
        unpack(inside, entry(name, content=b"evil"))


def test_an_absolute_name_is_below_the_destination(inside, host):
    unpack(inside, entry(f"{host}/secret", content=b"evil"))
    assert (host / f"root/tmp{host}/secret").read_bytes() == b"evil"


@pytest.mark.parametrize("target", ["{host}", "/proc/self/cwd", "/proc/self/root/{host}"])
def test_an_entry_through_a_link_to_the_host_is_refused(inside, host, target):
    with pytest.raises(UserError, match="a link, or something"):
        unpack(inside, link("way", target.format(host=host)), entry("way/secret", content=b"evil"))


@pytest.mark.parametrize("target", ["../..", "../../../../../.."])
def test_an_entry_through_a_link_upwards_ends_at_the_root(inside, host, target):
    unpack(inside, link("way", target), entry("way/secret", content=b"evil"))
    assert (host / "root/secret").read_bytes() == b"evil"


def test_a_hard_link_reaches_nothing_outside(inside, host):
    (host / "root/tmp/up").symlink_to(host)
    for name in ("../secret", f"{host}/secret", "up/secret"):
        with pytest.raises(OrchestraError):
            unpack(inside, hard_link("mine", name))
    assert (host / "secret").stat().st_nlink == 1


def test_a_file_over_a_link_replaces_the_link(inside, host):
    (host / "root/tmp/way").symlink_to(host / "secret")
    unpack(inside, entry("way", content=b"new"))
    assert not (host / "root/tmp/way").is_symlink()


def test_links_of_the_container_are_followed_in_its_root(inside, host):
    (host / "root/etc/shadow").write_text("of the container")
    (host / "root/tmp/way").symlink_to("/etc/shadow")
    (host / "root/tmp/up").symlink_to("../../../../../../../secret")
    copy_out(inside, host, "/tmp/way")
    assert (host / "out/way").read_text() == "of the container"
    with pytest.raises(UserError, match="does not exist"):
        copy_out(inside, host, "/tmp/up")
    (host / "root/proc").mkdir()
    (host / "root/proc/cwd").symlink_to(f"/proc/{os.getpid()}/cwd")
    with pytest.raises(UserError):
        copy_out(inside, host, "/proc/cwd/secret")


def test_what_comes_out_follows_no_link_of_the_destination(inside, host):
    (host / "root/tmp/tree/way").mkdir(parents=True)
    (host / "root/tmp/tree/way/secret").write_text("evil")
    (host / "out/tree").mkdir()
    (host / "out/tree/way").symlink_to(host)
    with pytest.raises(UserError, match="not a directory"):
        copy_out(inside, host, "/tmp/tree")


def test_devices_and_sockets_do_not_come_along(inside, host):
    warnings = unpack(inside, entry("disk", tarfile.BLKTYPE, devmajor=8, devminor=0))
    assert len(warnings) == 1
    assert "disk" in warnings[0]
    os.mknod(host / "root/tmp/disk", 0o60666, os.makedev(8, 0))
    copy_out(inside, host, "/tmp")
    assert os.listdir(host / "out/tmp") == []


def test_a_directory_that_keeps_turning_into_a_link_leads_nowhere(inside, host):
    """Whatever is seen of it, no file of the host's is read."""
    tmp = host / "root/tmp"
    (tmp / "real").mkdir()
    (tmp / "real/secret").write_text("of the container")
    (tmp / "link").symlink_to(host)
    (tmp / "way").mkdir()
    ended = threading.Event()

    def swap():
        while not ended.is_set():
            for name in ("real", "link"):
                os.rename(tmp / "way", tmp / "spare") if os.path.lexists(tmp / "way") else None
                os.rename(tmp / name, tmp / "way")
                os.rename(tmp / "way", tmp / name)
                os.rename(tmp / "spare", tmp / "way")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(200):
            packed = io.BytesIO()
            origin = find_origin(inside, "/tmp", follow=False)
            try:
                write_archive(Reader(origin.fd).walk(), packed, "tmp")
            except OSError:
                continue
            finally:
                os.close(origin.fd)
            assert SECRET.encode() not in packed.getvalue()
    finally:
        ended.set()
        thread.join()


def test_a_copy_that_fails_leaves_the_old_file(inside, host):
    (host / "root/tmp/file").write_text("old")
    cut = layer(entry("file", content=b"x" * 100_000))[:5000]
    writer = Writer(find_directory(inside, "/tmp"), Ownership(False, False), [].append)
    with pytest.raises(OrchestraError, match="damaged"):
        write(read_archive(io.BufferedReader(io.BytesIO(cut)), "the archive"), [writer])
    writer.close()
    assert os.listdir(host / "root/tmp") == ["file"]
    assert (host / "root/tmp/file").read_text() == "old"


def test_a_directory_is_not_replaced_by_a_file(inside, host):
    (host / "root/tmp/name").mkdir()
    with pytest.raises(UserError, match="is a directory"):
        unpack(inside, entry("name", content=b"x"))
    (host / "root/tmp/other").write_text("x")
    with pytest.raises(UserError, match="is not a directory"):
        unpack(inside, directory("other"))
