"""Real archives into real directories, compared with what ``tar`` makes of them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.driver.local.image.layers.compression import ZSTANDARD_MODULES, _zstandard
from orchestra.driver.local.image.layers.unpack import unpack_layer
from orchestra.errors import FatalError
from tests.driver.local.image.making import digest, directory, entry, hard_link, layer, link, needs_root, tree

pytestmark = needs_root

OPAQUE = "trusted.overlay.opaque"


def unpack(data: bytes, path: Path, *below: Path) -> str:
    path.mkdir(exist_ok=True)
    return unpack_layer(io.BufferedReader(io.BytesIO(data)), str(path), below=tuple(map(str, below)))


def is_whiteout(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(path: Path) -> bool:
    return OPAQUE in os.listxattr(path)


def test_every_kind_of_file_comes_out_as_it_went_in(tmp_path):
    data = layer(
        directory("bin", mode=0o1777, mtime=1),
        entry("bin/tool", content=b"x" * 100_000, mode=0o4755, uid=5, gid=6, mtime=1_000_000_000),
        hard_link("bin/same", "bin/tool"),
        link("bin/link", "../etc/nowhere", uid=7, gid=8, mtime=2),
        entry("fifo", tarfile.FIFOTYPE, mode=0o600),
        entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        entry("disk", tarfile.BLKTYPE, devmajor=8, devminor=1, mode=0o660),
        directory(".", mode=0o711, mtime=3),
    )
    assert unpack(data, tmp_path / "layer") == digest(data)
    root = tmp_path / "layer"
    tool = (root / "bin/tool").stat()
    assert (stat.S_IMODE(tool.st_mode), tool.st_uid, tool.st_gid, tool.st_mtime) == (0o4755, 5, 6, 1_000_000_000)
    assert tool.st_nlink == 2
    assert os.readlink(root / "bin/link") == "../etc/nowhere"
    shown = (root / "bin/link").lstat()
    assert (shown.st_uid, shown.st_gid, shown.st_mtime) == (7, 8, 2)
    assert stat.S_ISFIFO((root / "fifo").stat().st_mode)
    assert (root / "null").stat().st_rdev == os.makedev(1, 3)
    assert stat.S_ISBLK((root / "disk").stat().st_mode)
    assert ((root / "bin").stat().st_mtime, stat.S_IMODE((root / "bin").stat().st_mode)) == (1, 0o1777)
    assert (root.stat().st_mtime, stat.S_IMODE(root.stat().st_mode)) == (3, 0o711)


def test_fractions_of_seconds_and_attributes_survive(tmp_path):
    headers = {
        "mtime": "1234567890.123456789",
        "SCHILY.xattr.user.note": "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n",
        "SCHILY.xattr.security.capability": b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0".decode("latin-1"),
    }
    unpack(layer(entry("file", pax_headers=headers)), tmp_path / "layer")
    file = tmp_path / "layer/file"
    assert file.stat().st_mtime_ns == 1234567890_123456789
    assert os.getxattr(file, "user.note").decode() == "grün"
    assert "security.capability" in os.listxattr(file)


def test_attributes_that_are_not_text_survive(tmp_path):
    value = bytes(range(256))
    # tarfile writes only text, so the record is made by hand: "LENGTH KEY=VALUE\n".
    body = b"SCHILY.xattr.user.raw=" + value + b"\n"
    size = len(body) + 1
    size += len(str(size + len(str(size))))
    record = str(size).encode() + b" " + body
    data = layer(entry("pax", tarfile.XHDTYPE, record), entry("file"), format=tarfile.USTAR_FORMAT)
    unpack(data, tmp_path / "layer")
    assert os.getxattr(tmp_path / "layer/file", "user.raw") == value


def test_overlayfs_own_attributes_are_not_taken_from_an_archive(tmp_path):
    headers = {f"SCHILY.xattr.{name}": "/etc" for name in (OPAQUE, "trusted.overlay.redirect", "user.overlay.redirect")}
    unpack(layer(directory("d", pax_headers=headers)), tmp_path / "layer")
    assert os.listxattr(tmp_path / "layer/d") == []


def test_whiteouts_become_what_overlayfs_understands(tmp_path):
    data = layer(entry("a/.wh.gone"), entry("b/.wh..wh..opq"), entry(".wh.top"), entry(".wh..wh.plnk"), entry("b/new"))
    unpack(data, tmp_path / "layer")
    root = tmp_path / "layer"
    assert is_whiteout(root / "a/gone")
    assert is_whiteout(root / "top")
    assert is_opaque(root / "b")
    assert not is_opaque(root / "a")
    assert sorted(item.name for item in root.iterdir()) == ["a", "b", "top"]


def test_a_whiteout_hides_only_what_is_below_whichever_comes_first(tmp_path):
    before = layer(entry(".wh.file"), entry(".wh.dir"), entry("file"), directory("dir"), entry(".wh.d"), entry("d/x"))
    after = layer(entry("file"), directory("dir"), entry("d/x"), entry(".wh.file"), entry(".wh.dir"), entry(".wh.d"))
    for name, data in (("before", before), ("after", after)):
        unpack(data, tmp_path / name)
        assert (tmp_path / name / "file").is_file()
        assert is_opaque(tmp_path / name / "dir")
        assert is_opaque(tmp_path / name / "d")
        assert (tmp_path / name / "d/x").is_file()


def test_the_last_of_several_entries_of_a_name_counts(tmp_path):
    data = layer(
        *(directory("a"), entry("a/kept"), directory("a", mode=0o700)),
        *(directory("b"), entry("b/deep/lost"), entry("b", content=b"file")),
        *(entry("c"), directory("c"), entry("c/inside")),
        *(link("d", "a"), entry("d", content=b"no link")),
        *(entry("e/f/g"), link("e", "a"), entry("e/through")),
    )
    unpack(data, tmp_path / "layer")
    root = tmp_path / "layer"
    assert (root / "a/kept").exists()
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o700
    assert (root / "b").read_bytes() == b"file"
    assert (root / "c/inside").exists()
    assert (root / "d").read_bytes() == b"no link"
    assert not (root / "d").is_symlink()
    assert (root / "a/through").exists()


def test_directories_without_an_entry_are_as_they_are_below(tmp_path):
    """Or a layer that only changes a file of /tmp would take the sticky bit from it."""
    unpack(
        layer(directory("tmp", mode=0o1777, uid=3, mtime=9), link("lib", "usr/lib"), directory("usr")), tmp_path / "1"
    )
    unpack(layer(entry("tmp/x"), entry("lib/y"), entry("other/z")), tmp_path / "2", tmp_path / "1")
    there = (tmp_path / "2/tmp").stat()
    assert (stat.S_IMODE(there.st_mode), there.st_uid, there.st_mtime) == (0o1777, 3, 9)
    assert os.readlink(tmp_path / "2/lib") == "usr/lib"
    assert (tmp_path / "2/usr/lib/y").exists()
    assert stat.S_IMODE((tmp_path / "2/other").stat().st_mode) == 0o755


def test_what_a_layer_hides_gives_nothing_to_directories_without_an_entry(tmp_path):
    unpack(layer(directory("d", mode=0o700), link("l", "elsewhere")), tmp_path / "1")
    unpack(layer(entry(".wh.d"), entry(".wh.l"), entry("d/x"), entry("l/x")), tmp_path / "2", tmp_path / "1")
    assert stat.S_IMODE((tmp_path / "2/d").stat().st_mode) == 0o755
    assert is_opaque(tmp_path / "2/l")


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["plain", "gzip", "bzip2", "xz"]
)
def test_compression_is_detected_and_the_diff_id_is_of_the_plain_archive(tmp_path, pack):
    data = layer(entry("file", content=os.urandom(1 << 20)))
    assert unpack(pack(data), tmp_path / "layer") == digest(data)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"])
def test_several_streams_are_one_layer(tmp_path, pack):
    data = layer(entry("file", content=os.urandom(300_000)))
    padding = bytes(8) if pack is lzma.compress else b""
    assert unpack(pack(data[:1000]) + padding + pack(data[1000:]), tmp_path / "layer") == digest(data)


def test_zstd_is_read_or_refused_with_what_is_missing(tmp_path):
    data = layer(entry("file", content=b"x" * 3000))
    packed = subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout
    try:
        _zstandard()
    except FatalError:
        with pytest.raises(FatalError, match="zstd") as caught:
            unpack(packed, tmp_path / "layer")
        assert any(name.split(".")[0] in caught.value.hint for name in ZSTANDARD_MODULES)
    else:
        assert unpack(packed, tmp_path / "layer") == digest(data)


@pytest.mark.parametrize("data", [b"", bytes(1024), bytes(10240)], ids=["nothing", "two blocks", "twenty blocks"])
def test_an_empty_archive_is_an_empty_layer(tmp_path, data):
    assert unpack(data, tmp_path / "layer") == digest(data)
    assert list((tmp_path / "layer").iterdir()) == []


def test_an_archive_without_end_blocks_is_complete(tmp_path):
    data = layer(entry("file", content=b"x"))[: 3 * 512]
    data = data[: data.rindex(b"x") // 512 * 512 + 512]
    assert unpack(data, tmp_path / "layer") == digest(data)
    assert (tmp_path / "layer/file").read_bytes() == b"x"


def test_holes_of_sparse_files_are_zeros(tmp_path):
    with open(tmp_path / "sparse", "wb") as file:
        file.seek(1 << 20)
        file.write(b"end")
    made = subprocess.run(["tar", "-cSf", "-", "-C", tmp_path, "sparse"], capture_output=True, check=True).stdout
    assert len(made) < 1 << 20
    unpack(made, tmp_path / "layer")
    assert (tmp_path / "layer/sparse").read_bytes() == (tmp_path / "sparse").read_bytes()


def test_a_busybox_userland_runs_from_a_layer(tmp_path):
    packed = subprocess.run(
        ["tar", "-c", "--transform=s,^usr/,,", "-C", "/", "usr/bin/busybox"], capture_output=True, check=True
    ).stdout
    unpack(packed, tmp_path / "layer")
    root = str(tmp_path / "layer")
    ran = subprocess.run(["chroot", root, "/bin/busybox", "echo", "here"], capture_output=True, text=True, check=True)
    assert ran.stdout == "here\n"


NAMES = st.sampled_from(["a", "b", "c", "a/b", "a/c", "b/a", "a/b/c", "c/c/c", "deep/er/and/deeper"])
MODES = st.sampled_from([0o644, 0o4755, 0o2750, 0o1777, 0o000, 0o7777])
FIELDS = st.fixed_dictionaries(
    {"mode": MODES, "uid": st.integers(0, 70000), "gid": st.integers(0, 70000), "mtime": st.integers(0, 2**32)}
)
ENTRIES = st.one_of(
    st.builds(
        lambda name, content, fields: entry(name, content=content, **fields), NAMES, st.binary(max_size=2000), FIELDS
    ),
    st.builds(lambda name, fields: directory(name, **fields), NAMES, FIELDS),
    st.builds(lambda name, target, fields: link(name, "/nowhere/" + target, **fields), NAMES, NAMES, FIELDS),
    st.builds(lambda name, fields: entry(name, tarfile.FIFOTYPE, **fields), NAMES, FIELDS),
)


def without_conflicts(entries):
    """One entry per name, none below what is no directory: there programs may differ."""
    chosen = {}
    for info, content in entries:
        parents = [info.name.rsplit("/", depth)[0] for depth in range(1, info.name.count("/") + 1)]
        if info.name not in chosen and all(parent in chosen and chosen[parent][0].isdir() for parent in parents):
            chosen[info.name] = (info, content)
    return list(chosen.values())


@settings(max_examples=30, deadline=None)
@given(st.lists(ENTRIES, max_size=12).map(without_conflicts), st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
def test_random_trees_are_what_tar_extracts(entries, form):
    data = layer(*entries, format=form)
    with tempfile.TemporaryDirectory() as place:
        unpack(data, Path(place) / "ours")
        theirs = Path(place) / "theirs"
        theirs.mkdir()
        options = ["--same-owner", "--same-permissions", "--numeric-owner", "--xattrs", "--delay-directory-restore"]
        subprocess.run(["tar", "-x", *options, "-C", theirs], input=data, check=True, capture_output=True)
        assert tree(Path(place) / "ours") == tree(theirs)
