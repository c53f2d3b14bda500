"""Archives made to harm: they may fail or be tamed, but nothing outside of the layer's directory changes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import resource
import tarfile
import tracemalloc
import zlib
from pathlib import Path

import pytest

from orchestra.driver.local.image.layers import layer as layer_module
from orchestra.driver.local.image.layers.tar import entries, open_tar
from orchestra.driver.local.image.layers.unpack import unpack_layer
from orchestra.driver.local.image.store import ImageStore
from orchestra.errors import FatalError
from orchestra.model.desired import ImageSpec
from tests.debian import home_in
from tests.driver.local.image.making import (
    Made,
    directory,
    entry,
    hard_link,
    in_mount_namespace,
    layer,
    link,
    needs_root,
    tree,
)

pytestmark = needs_root

# What a child may take: bytes of memory beyond what it begins with, bytes of any file, seconds of processor time.
MEMORY, FILE, SECONDS = 64 << 20, 32 << 20, 10


@pytest.fixture
def place(tmp_path):
    """A layer's directory, beside something that must not change."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("precious")
    (tmp_path / "layer").mkdir()
    return tmp_path


def unpack(data, place):
    unpack_layer(io.BufferedReader(io.BytesIO(data)), str(place / "layer"))


def unpack_bounded(data, place):
    """What was said and advised when it was refused, else None; in a process that is held to its limits."""

    def work():
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        try:
            unpack(data, place)
        except FatalError as error:
            return [error.message, error.hint]
        return None

    return in_mount_namespace(work)


def header(**fields):
    """One header block of the given fields, with numbers as they stand."""
    info = entry(fields.pop("name", "x"))[0]
    for key, value in fields.items():
        setattr(info, key, value)
    return bytearray(info.tobuf(tarfile.GNU_FORMAT))


def checked(block):
    block[148:156] = b"%06o\0 " % tarfile.calc_chksums(block)[0]
    return bytes(block)


def number(block, start, length, value):
    block[start : start + length] = value
    return checked(block) + bytes(1024)


def window(exponent):
    """The beginning of a zstd frame that wants so large a window (RFC 8878, 3.1.1.1.2), and a raw block."""
    return b"\x28\xb5\x2f\xfd\0" + bytes([(exponent - 10) << 3]) + b"\x09\0\0x"


def dictionary_of_4_gib():
    """An xz file (its specification, 3.1 and 5.3.1) whose block header asks for the largest dictionary."""
    data = bytearray(lzma.compress(layer(entry("x", content=os.urandom(5000)))))
    place = data.index(b"\x21\x01", 12)
    data[place + 2] = 40
    end = 12 + (data[12] + 1) * 4
    data[end - 4 : end] = lzma_crc(data[12 : end - 4])
    return bytes(data)


def lzma_crc(data):
    return zlib.crc32(data).to_bytes(4, "little")


UP = "../" * 20
HOSTILE = {
    "a name that climbs": lambda out: layer(entry("../outside/file", content=b"bad")),
    "a name that climbs later": lambda out: layer(directory("a"), entry(f"a/b/{UP}{out}/file", content=b"bad")),
    "a name that is dot-dot": lambda out: layer(directory("..", mode=0o777)),
    "a whiteout of dot-dot": lambda out: layer(entry(".wh...")),
    "a whiteout of dot": lambda out: layer(entry("a/.wh..")),
    "a whiteout of nothing": lambda out: layer(entry(".wh.")),
    "a whiteout that climbs": lambda out: layer(entry("../outside/.wh.file")),
    "a whiteout of a whiteout": lambda out: layer(entry(".wh..wh.x"), entry(".wh..wh.")),
    "a hard link out by name": lambda out: layer(hard_link("a", "../outside/file"), entry("a", content=b"bad")),
    "a hard link to an absolute name": lambda out: layer(hard_link("a", f"{out}/file")),
    "a hard link through a symbolic link": lambda out: layer(link("l", str(out)), hard_link("a", "l/file")),
    "a hard link to itself": lambda out: layer(entry("a"), hard_link("a", "a")),
    "a hard link to a directory": lambda out: layer(directory("d"), hard_link("a", "d")),
    "a hard link to the root": lambda out: layer(hard_link("a", "/")),
    "a file below a file": lambda out: layer(entry("a"), entry("a/b")),
    "a file below a fifo": lambda out: layer(entry("a", tarfile.FIFOTYPE), entry("a/b")),
    "a file that takes away its own way": lambda out: layer(
        directory("a"), link("a/l", "/"), entry("a/l/a"), entry("a/l/x")
    ),
    "links in a circle": lambda out: layer(link("a", "b"), link("b", "a"), entry("a/x")),
    "a root that is no directory": lambda out: layer(entry("./")),
    "a root that is a link": lambda out: layer(link(".", str(out))),
    "a zero byte in a name": lambda out: layer(entry("x", pax_headers={"path": "a\0b"})),
    "a zero byte in a link": lambda out: layer(link("x", "y", pax_headers={"linkpath": "a\0b"})),
    "a zero byte in an attribute": lambda out: layer(entry("x", pax_headers={"SCHILY.xattr.user.a\0b": "c"})),
    "a name too long": lambda out: layer(entry("x" * 300)),
    "a path too long": lambda out: layer(entry("/".join(["d" * 200] * 40))),
    "an owner that means nobody": lambda out: layer(entry("x", uid=0xFFFFFFFF)),
    "an owner below zero": lambda out: layer(entry("x", pax_headers={"uid": "-1"})),
    "a device number too large": lambda out: layer(
        entry("x", tarfile.CHRTYPE, devmajor=0o7777777, devminor=1), format=tarfile.USTAR_FORMAT
    ),
    "a type nobody knows": lambda out: checked(header(type=b"Z")) + bytes(1024),
    "a size below zero": lambda out: number(header(), 124, 12, b"\xff" * 12),
    "a size below zero in an extension": lambda out: layer(entry("x", pax_headers={"size": "-512"}), entry("y")),
    "a size beyond the end": lambda out: number(header(), 124, 12, b"77777777777\0"),
    "an extension header that is enormous": lambda out: number(header(type=b"x"), 124, 12, b"77777777777\0"),
    "a long name that is enormous": lambda out: number(header(type=b"L"), 124, 12, b"77777777777\0"),
    "a number that is none": lambda out: number(header(), 124, 12, b"nonsense!!!\0"),
    "a wrong checksum": lambda out: layer(entry("x"))[:10] + b"!" + layer(entry("x"))[11:],
    "a wrong checksum later": lambda out: layer(entry("x"))[:512] + b"\x01" * 512 + bytes(1024),
    "an end in a header": lambda out: layer(entry("x"))[:300],
    "an end in a file": lambda out: layer(entry("x", content=b"y" * 5000))[:2000],
    "an end in gzip": lambda out: gzip.compress(layer(entry("x", content=os.urandom(9000))))[:5000],
    "gzip that is damaged": lambda out: gzip.compress(layer(entry("x")))[:-8] + b"12345678",
    "no archive at all": lambda out: b"<html>not found</html>" * 100,
    "nothing but extension headers": lambda out: b"".join(
        layer(entry("pax", tarfile.XHDTYPE, b"9 a=bcde\n"), format=tarfile.USTAR_FORMAT)[:1024] for _ in range(3000)
    ),
    "globals without end": lambda out: b"".join(
        layer(entry("pax", tarfile.XGLTYPE, b"13 k%06d=v\n" % i), entry(f"f{i}"), format=tarfile.USTAR_FORMAT)[:1536]
        for i in range(500)
    ),
    "a map of holes without an end": lambda out: layer(
        entry(
            "x",
            content=b"99\n1\n",
            pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x"},
        )
    ),
    "a hole larger than any disk": lambda out: layer(
        entry("x", pax_headers={"GNU.sparse.size": str(1 << 60), "GNU.sparse.map": ""})
    ),
    "a map of holes that is no list of numbers": lambda out: layer(
        entry("x", pax_headers={"GNU.sparse.size": "5", "GNU.sparse.map": "a,b"})
    ),
    "a file that a few bytes of gzip make": lambda out: (
        gzip.compress(number(header(), 124, 12, b"77777777777\0")[:512]) + gzip.compress(bytes(1 << 20)) * 64
    ),
    "an attribute that is too large": lambda out: layer(entry("x", pax_headers={"SCHILY.xattr.user.a": "b" * 70_000})),
    "zstd that wants two gibibytes": lambda out: window(31),
    "zstd that is damaged": lambda out: window(20)[:-1] + b"\xff" * 50,
    "xz that wants four gibibytes": lambda out: dictionary_of_4_gib(),
    "xz that is damaged": lambda out: lzma.compress(layer(entry("x", content=os.urandom(5000))))[:3000],
    "bzip2 that is damaged": lambda out: bz2.compress(layer(entry("x", content=os.urandom(5000))))[:3000] + bytes(9000),
    "gzip within gzip": lambda out: gzip.compress(gzip.compress(layer(entry("x")))),
}


@pytest.mark.parametrize("case", HOSTILE.values(), ids=HOSTILE)
def test_is_refused_and_nothing_outside_changes(place, case):
    before = tree(place / "outside")
    refusal = unpack_bounded(case(place / "outside"), place)
    assert refusal
    assert refusal[0]
    assert tree(place / "outside") == before
    assert sorted(item.name for item in place.iterdir()) == ["layer", "outside"]


TAMED = {
    "an attribute that means nothing": lambda out: layer(entry("x", pax_headers={"SCHILY.xattr.nonsense": "c"})),
    "an absolute name": lambda out: layer(entry(f"{out}/file", content=b"bad")),
    "a file through an absolute link": lambda out: layer(link("l", str(out)), entry("l/file", content=b"bad")),
    "a file through a climbing link": lambda out: layer(link("l", f"{UP}{out}"), entry("l/file", content=b"bad")),
    "a file over a link": lambda out: layer(link("l", f"{out}/file"), entry("l", content=b"bad")),
    "a directory over a link": lambda out: layer(link("l", str(out)), directory("l", mode=0o777), entry("l/file")),
    "a whiteout through a link": lambda out: layer(link("l", str(out)), entry("l/.wh.file")),
    "an opaque mark through a link": lambda out: layer(link("l", str(out)), entry("l/.wh..wh..opq")),
    "a link to a link": lambda out: layer(link("a", str(out)), link("b", "a"), entry("b/file", content=b"bad")),
    "a hard link to a link": lambda out: layer(
        link("a", f"{out}/file"), hard_link("b", "a"), entry("b", content=b"bad")
    ),
    "a device through a link": lambda out: layer(link("l", str(out)), entry("l/null", tarfile.CHRTYPE, devmajor=1)),
    "a directory swapped for a link": lambda out: layer(
        directory("d"), entry("d/x"), link("d", str(out)), entry("d/file", content=b"bad"), directory("d/sub", mtime=5)
    ),
    "times of a directory swapped for a link": lambda out: layer(
        directory("d", mtime=7), entry("e/.wh.d"), link("d", str(out))
    ),
    "times without sense": lambda out: layer(
        *(
            entry(f"t{i}", pax_headers={"mtime": text})
            for i, text in enumerate(["nan", "inf", "-inf", "1e999", "x", "-5", "9" * 30])
        )
    ),
}


@pytest.mark.parametrize("case", TAMED.values(), ids=TAMED)
def test_is_tamed_and_stays_within_the_layer(place, case):
    before = tree(place / "outside"), (place / "outside").stat().st_mtime_ns
    assert unpack_bounded(case(place / "outside"), place) is None
    assert (tree(place / "outside"), (place / "outside").stat().st_mtime_ns) == before
    assert sorted(item.name for item in place.iterdir()) == ["layer", "outside"]


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_extension_headers_are_not_read_before_they_are_bounded(place, kind):
    with pytest.raises(FatalError, match="extension header of 8589934591 bytes"):
        unpack(number(header(type=kind), 124, 12, b"77777777777\0"), place)


def test_members_are_not_kept():
    data = layer(*(entry(f"{index}") for index in range(100)))
    with open_tar(io.BytesIO(data), seekable=False) as tar:
        assert max(len(tar.members) for _ in entries(tar)) == 1


def test_a_very_large_layer_needs_little_memory(place):
    class Zeros(io.RawIOBase):
        """A file of 64 MiB, then two thousand small ones."""

        def __init__(self) -> None:
            big = entry("big")[0]
            big.size = 1 << 26
            small = [(entry(f"d/{i}")[0].tobuf(), 1) for i in range(2_000)]
            self.parts = [(big.tobuf(), 1), (bytes(1 << 20), 64), *small, (bytes(1024), 1)]

        def readable(self):
            return True

        def readinto(self, buffer):
            if not self.parts:
                return 0
            data, times = self.parts[0]
            count = min(len(buffer), len(data))
            buffer[:count] = data[:count]
            rest = [(data[count:], 1)] if count < len(data) else []
            self.parts[:1] = rest + ([(data, times - 1)] if times > 1 else [])
            return count

    (place / "layer/big").symlink_to("/dev/null")  # replaced, not followed
    tracemalloc.start()
    try:
        unpack_layer(io.BufferedReader(Zeros()), str(place / "layer"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (place / "layer/big").stat().st_size == 1 << 26
    assert peak < 8 << 20


def too_much(*entries):
    return gzip.compress(layer(*entries, directory("d")))


BOMBS = {
    "a file": lambda: too_much(entry("zeros", content=bytes(3 << 20))),
    "a hole": lambda: too_much(entry("x", pax_headers={"GNU.sparse.size": str(3 << 20), "GNU.sparse.map": "0,0"})),
    "many files": lambda: too_much(*(entry(str(index)) for index in range(5_000))),
    "what lies behind the end": lambda: gzip.compress(layer(entry("x")) + bytes(3 << 20)),
}


@pytest.mark.parametrize("make", BOMBS.values(), ids=BOMBS)
def test_what_unpacks_to_far_more_than_its_size_is_refused(tmp_path, monkeypatch, make):
    data = make()
    monkeypatch.setattr(layer_module, "ALWAYS_ALLOWED", 2 << 20)
    monkeypatch.setattr(layer_module, "ALLOWED_RATIO", 2)
    made = Made()
    image = made.image([gzip.decompress(data)], compress=lambda _: data)
    store = ImageStore(home_in(tmp_path / "home"))
    spec = ImageSpec(made.name(image).write(tmp_path / "image"))
    with pytest.raises(FatalError, match="unpacks to more than"):
        store.pull(spec)
    assert list((tmp_path / "home/data/snapshots/layers").iterdir()) == []
    monkeypatch.setattr(layer_module, "ALWAYS_ALLOWED", 4 << 20)
    assert store.pull(spec)
