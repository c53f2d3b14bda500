"""Layers unpacked while they come: begun with the first bytes, and there only when all of them are right."""

from __future__ import annotations

import bz2
import contextlib
import importlib
import io
import lzma
import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestra.driver.local.image.content.check import check_store
from orchestra.driver.local.image.content.growing import WHOLE, Eager, Growing, Reports
from orchestra.driver.local.image.layers import parallel as layers_module
from orchestra.driver.local.image.layers import unpackers as unpackers_module
from orchestra.driver.local.image.layers.compression import ZSTANDARD_MODULES, decompressed
from orchestra.driver.local.image.layers.lookup import read_file
from orchestra.driver.local.image.registry import Access
from orchestra.driver.local.image.registry.patience import Patience
from orchestra.driver.local.image.store import ImageStore
from orchestra.errors import FatalError, TemporaryError
from orchestra.model.desired import ImageSpec
from tests.debian import home_in
from tests.driver.local.image.making import Made, compressed, digest, directory, entry, layer

from .faulty import Registry, serving

BIG = layer(directory("d"), entry("d/first", content=b"1"), entry("big", content=random.Random(1).randbytes(600_000)))
OTHER = layer(directory("d"), entry("d/first", content=b"2"), entry("big", content=random.Random(2).randbytes(600_000)))
SMALL = layer(entry("small", content=b"small"))
BLOB = digest(compressed(BIG))
HALF = 300_000
QUICK = Patience(connect=2, silence=0.3, attempts=2, first=0.01, longest=0.1)


@pytest.fixture(autouse=True)
def always_processes(monkeypatch):
    monkeypatch.setattr(layers_module, "WORTHWHILE", 0)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})


@pytest.fixture
def registry():
    with serving(Registry()) as registry:
        yield registry


@pytest.fixture
def home(tmp_path):
    return home_in(tmp_path / "home")


@pytest.fixture
def store(home, tmp_path):
    return ImageStore(home, Access({"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}, QUICK))


def put(registry, *layers, diff_ids=None):
    made = Made()
    return ImageSpec(registry.put(made, made.image(layers, compress=compressed, diff_ids=diff_ids)))


class Paused:
    """A fault: the first half of the big layer comes, the rest when the test says so."""

    def __init__(self, registry, blob=BLOB) -> None:
        self.registry = registry
        self.blob = blob
        self.resume = threading.Event()

    def __call__(self, handler) -> bool:
        if self.blob not in handler.path or handler.headers.get("Range"):
            return False
        data = self.registry.blobs[self.blob]
        handler.answer(200, data[:HALF], length=len(data))
        handler.wfile.flush()
        assert self.resume.wait(30)
        with contextlib.suppress(OSError):
            handler.wfile.write(data[HALF:])
        return True


def unfinished(home):
    return list(Path(home.snapshots).glob("layers/*.new"))


def await_first_file(home):
    deadline = time.monotonic() + 30
    while not any((path / "d/first").exists() and (path / "big").exists() for path in unfinished(home)):
        assert time.monotonic() < deadline


def assert_nothing_is_there(home, store, spec):
    assert store.observe([spec]) == {}
    assert unfinished(home) == []
    assert os.listdir(f"{home.content}/ingest") == []


def assert_is_there(home, store, spec):
    layers = store.resolve(store.observe([spec])[spec.key].digest).layers
    assert len(read_file(layers, "/big")) == 600_000
    assert read_file(layers, "/d/first") == b"1"
    report = check_store(home)
    assert report.is_sound
    assert not report.not_unpacked
    assert unfinished(home) == []


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for owners")
class TestPull:
    def test_unpacking_begins_with_the_first_bytes_and_ends_with_the_last(self, registry, home, store):
        spec = put(registry, SMALL, BIG)
        registry.fault = paused = Paused(registry)
        with ThreadPoolExecutor(1) as pool:
            pull = pool.submit(store.pull, spec)
            try:
                await_first_file(home)
                assert store.observe([spec]) == {}
                assert not pull.done()
            finally:
                paused.resume.set()
            pull.result()
        assert_is_there(home, store, spec)

    def test_what_was_unpacked_of_a_blob_with_another_digest_is_discarded(self, registry, home, store):
        spec = put(registry, SMALL, BIG)
        registry.blobs[BLOB] = compressed(OTHER)[: len(compressed(BIG))].ljust(len(compressed(BIG)))
        with pytest.raises(FatalError, match="its digest is"):
            store.pull(spec)
        assert_nothing_is_there(home, store, spec)

    def test_a_blob_that_unpacks_to_another_diff_id_is_refused(self, registry, home, store):
        spec = put(registry, SMALL, BIG, diff_ids=[digest(SMALL), digest(OTHER)])
        with pytest.raises(FatalError, match=f"unpacks to {digest(BIG)}, not to {digest(OTHER)}"):
            store.pull(spec)
        assert_nothing_is_there(home, store, spec)

    def test_a_complete_hostile_layer_is_refused(self, registry, home, store):
        spec = put(registry, SMALL, layer(entry("../up"), entry("big", content=os.urandom(100_000))))
        with pytest.raises(FatalError, match="leads out of the image"):
            store.pull(spec)
        assert_nothing_is_there(home, store, spec)

    def test_a_download_that_fails_leaves_nothing_unpacked_and_is_gone_on_with(self, registry, home, store):
        spec = put(registry, SMALL, BIG)

        def cut(handler):
            if BLOB not in handler.path:
                return False
            if handler.headers.get("Range"):
                handler.reset()
            else:
                handler.send_some(HALF)
            return True

        registry.fault = cut
        with pytest.raises(TemporaryError, match="cannot be reached"):
            store.pull(spec)
        assert store.observe([spec]) == {}
        assert unfinished(home) == []
        registry.fault = None
        asked = len(registry.seen)
        store.pull(spec)
        ranges = [seen.headers.get("range") for seen in registry.seen[asked:] if BLOB in seen.path]
        assert ranges[0].startswith("bytes=")
        assert_is_there(home, store, spec)

    def test_a_restarted_download_is_unpacked_again(self, registry, home, store):
        spec = put(registry, SMALL, BIG)
        Path(f"{home.content}/ingest").mkdir(parents=True)
        spoilt = bytearray(compressed(BIG)[:HALF])
        spoilt[HALF // 2] ^= 1
        Path(f"{home.content}/ingest/{BLOB.removeprefix('sha256:')}").write_bytes(spoilt)
        store.pull(spec)
        ranges = [seen.headers.get("range") for seen in registry.seen if BLOB in seen.path]
        assert ranges == [f"bytes={HALF}-", None]
        assert_is_there(home, store, spec)

    def test_a_killed_unpacking_process_is_reported_and_the_next_pull_resumes(self, registry, home, store, monkeypatch):
        spec = put(registry, SMALL, BIG)
        registry.fault = paused = Paused(registry)
        begun = []
        begin = unpackers_module.Unpackers._begin
        monkeypatch.setattr(unpackers_module.Unpackers, "_begin", lambda self: begun.append(begin(self)) or begun[-1])
        with ThreadPoolExecutor(1) as pool:
            pull = pool.submit(store.pull, spec)
            try:
                await_first_file(home)
                for process in begun:
                    process.kill()
            finally:
                paused.resume.set()
            with pytest.raises(TemporaryError, match=f"ended with {-signal.SIGKILL}"):
                pull.result()
        assert store.observe([spec]) == {}
        assert unfinished(home) == []
        registry.fault = None
        store.pull(spec)
        assert_is_there(home, store, spec)

    def test_a_killed_command_takes_what_unpacks_with_it(self, registry, home, store):
        large = layer(directory("d"), entry("d/first", content=b"1"), entry("big", content=os.urandom(6 << 20)))
        blob = digest(compressed(large))
        spec = put(registry, SMALL, large)
        registry.fault = paused = Paused(registry, blob)
        command = [sys.executable, "-m", "orchestra", "image", "pull", "-q", spec.reference]
        with subprocess.Popen(command, env=os.environ | {"ORCHESTRA_HOME": os.path.dirname(home.data)}) as process:
            try:
                await_first_file(home)
            finally:
                process.kill()
                paused.resume.set()
        registry.fault = None
        asked = len(registry.seen)
        store.pull(spec)
        ranges = [seen.headers.get("range") for seen in registry.seen[asked:] if blob in seen.path]
        assert ranges[0].startswith("bytes=")
        assert store.observe([spec]).keys() == {spec.key}
        assert unfinished(home) == []
        assert check_store(home).is_sound


@contextlib.contextmanager
def reading(tmp_path, data, lines):
    path = tmp_path / "blob"
    path.write_bytes(data)
    with open(path, "rb", buffering=0) as file:
        yield Growing(file, Reports(io.StringIO("".join(lines))))


def zstandard(data):
    for name in ZSTANDARD_MODULES:
        with contextlib.suppress(ImportError):
            return importlib.import_module(name).compress(data)
    raise AssertionError("no module for it is installed")


def test_a_growing_file_returns_reported_bytes_and_ends_when_complete(tmp_path):
    with reading(tmp_path, b"0123456789", ["0\n", "3\n", "3\n", "7\n", WHOLE]) as file:
        assert list(iter(lambda: file.read(100), b"")) == [b"012", b"3456", b"789"]


def test_a_growing_file_that_was_cut_is_not_read_on(tmp_path):
    with reading(tmp_path, b"01", ["5\n", "2\n", WHOLE]) as file:
        assert file.read(100) == b"01"
        with pytest.raises(EOFError):
            file.read(100)


def test_whoever_reads_ends_when_nothing_more_is_told(tmp_path):
    with reading(tmp_path, b"0123456789", ["3\n"]) as file:
        assert file.read(100) == b"012"
        with pytest.raises(SystemExit):
            file.read(100)


@pytest.mark.parametrize(
    "compress", [bytes, compressed, bz2.compress, lzma.compress, zstandard], ids=lambda each: each.__name__
)
def test_every_compression_is_read_while_it_comes(tmp_path, compress):
    """In pieces that end anywhere."""
    plain = layer(*(entry(f"{index}", content=os.urandom(index * 50)) for index in range(60)))
    data = compress(plain)
    told = [f"{count}\n" for count in range(10, len(data), 997)]
    with reading(tmp_path, data, [*told, WHOLE]) as file, decompressed(Eager(file, 1 << 14)) as stream:
        assert b"".join(iter(lambda: stream.read(5_000), b"")) == plain
