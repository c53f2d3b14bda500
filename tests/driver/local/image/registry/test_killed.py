"""Pullers killed at hundreds of points: the store is sound after each, the next pull goes on, and nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from orchestra.driver.local.image.content.check import check_store
from orchestra.driver.local.image.layers.lookup import read_file
from orchestra.driver.local.image.registry import Access
from orchestra.driver.local.image.registry.patience import Patience
from orchestra.driver.local.image.store import ImageStore
from orchestra.model.desired import ImageSpec
from tests.debian import home_in
from tests.driver.local.image.making import Made, compressed, digest, directory, entry, layer, needs_root

from .faulty import Registry, serving
from .puller import UNPACKER_DIED

pytestmark = [*needs_root, pytest.mark.timeout(180)]

SEED = int(os.environ.get("ORCHESTRA_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
NAME = layer(directory("etc"), entry("etc/name", content=b"this one"))
SIZE = 40_000


@pytest.fixture
def registry():
    with serving(Registry()) as registry:
        yield registry


@pytest.fixture
def home(tmp_path):
    """In memory where that can be: every pull waits twice for the disk otherwise, and hundreds are made."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as place:
        yield home_in(Path(place))


@pytest.fixture
def die(home):
    """A function: pull in a process that is killed at a point; the answer of ``puller``."""
    command = [sys.executable, "-m", "tests.driver.local.image.registry.puller", *home]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def ask(kind: str, point: int, reference: str, processes: bool = False) -> dict[str, int]:
            request = {"kind": kind, "point": point, "reference": reference, "processes": processes}
            process.stdin.write(f"{json.dumps(request)}\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield ask


def put(registry, source, number):
    """An image with layers of its own; its reference and the digest of the large one."""
    made = Made()
    own = layer(directory("d"), entry("d/big", content=source.randbytes(SIZE)), *(entry(f"d/{i}") for i in range(4)))
    small = layer(entry("small", content=source.randbytes(100)))
    return registry.put(made, made.image([NAME, own, small], compress=compressed), str(number)), digest(compressed(own))


def partial_size(home, blob):
    try:
        return os.stat(f"{home.content}/ingest/{blob.removeprefix('sha256:')}").st_size
    except FileNotFoundError:
        return 0


def go_on(registry, home, reference, blob):
    """Pull after a kill: what had come is not asked for again, and all is there."""
    report = check_store(home)
    assert not report.damaged
    assert not report.incomplete
    had = partial_size(home, blob)
    asked = len(registry.seen)
    store = ImageStore(home, Access({}, Patience()))
    image = store.pull(ImageSpec(reference))
    layers = store.resolve(image.digest).layers
    assert read_file(layers, "/etc/name") == b"this one"
    assert len(read_file(layers, "/d/big")) == SIZE
    ranges = [seen.headers.get("range") for seen in registry.seen[asked:] if seen.path.endswith(blob)]
    if 0 < had < len(registry.blobs[blob]):
        assert ranges == [f"bytes={had}-"]
    elif had:
        assert ranges == []
    assert os.listdir(f"{home.content}/ingest") == []
    assert unfinished_layers(home) == []


def unfinished_layers(home):
    return [name for name in os.listdir(f"{home.snapshots}/layers") if name.endswith(".new")]


def assert_nothing_is_lost(home, references):
    report = check_store(home)
    assert report.is_sound
    assert not report.not_unpacked
    assert ImageStore(home).observe(map(ImageSpec, references)).keys() >= set(references)


def test_killed_before_any_operation_of_the_store(registry, home, die):
    print("ORCHESTRA_TEST_SEED =", SEED)
    source = random.Random(SEED)
    references = [put(registry, source, "whole")[0]]
    first = die("none", 0, references[0])["operations"]
    references.append(put(registry, source, "whole-too")[0])
    operations = die("none", 0, references[1])["operations"]
    assert 30 < operations < first
    for point in range(1, operations + 1):
        reference, blob = put(registry, source, point)
        assert die("operation", point, reference)["code"] == -signal.SIGKILL
        go_on(registry, home, reference, blob)
        references.append(reference)
    assert_nothing_is_lost(home, references)


def test_killed_at_any_byte(registry, home, die):
    print("ORCHESTRA_TEST_SEED =", SEED)
    source = random.Random(SEED)
    references, resumed = [], 0
    for number in range(120):
        reference, blob = put(registry, source, number)
        point = source.randrange(1, len(registry.blobs[blob]))
        assert die("byte", point, reference)["code"] == -signal.SIGXFSZ
        assert partial_size(home, blob) in (0, point)
        resumed += partial_size(home, blob) == point
        go_on(registry, home, reference, blob)
        references.append(reference)
    assert resumed > 80
    assert_nothing_is_lost(home, references)


def test_killed_again_and_again_one_pull_gets_there(registry, home, die):
    print("ORCHESTRA_TEST_SEED =", SEED)
    source = random.Random(SEED)
    reference, blob = put(registry, source, "often")
    points = sorted(source.sample(range(1_000, len(registry.blobs[blob])), 40))
    for point in points:
        assert die("byte", point, reference)["code"] == -signal.SIGXFSZ
        assert partial_size(home, blob) == point
        assert not check_store(home).damaged
    go_on(registry, home, reference, blob)
    # Nothing came twice.
    ranges = [seen.headers.get("range") for seen in registry.seen if seen.path.endswith(blob)]
    assert ranges == [None, *(f"bytes={point}-" for point in points)]


def test_killed_before_any_operation_while_a_process_unpacks_what_comes(registry, home, die):
    print("ORCHESTRA_TEST_SEED =", SEED)
    source = random.Random(SEED)
    references = [put(registry, source, "whole")[0]]
    assert die("none", 0, references[0], processes=True)["code"] == 0
    references.append(put(registry, source, "whole-too")[0])
    operations = die("none", 0, references[1], processes=True)["operations"]
    assert operations > 10
    for point in range(1, operations + 1):
        reference, blob = put(registry, source, point)
        assert die("operation", point, reference, processes=True)["code"] == -signal.SIGKILL
        go_on(registry, home, reference, blob)
        references.append(reference)
    assert_nothing_is_lost(home, references)


def test_killed_at_any_byte_while_a_process_unpacks_what_comes(registry, home, die):
    print("ORCHESTRA_TEST_SEED =", SEED)
    source = random.Random(SEED)
    references = [put(registry, source, "whole")[0]]
    assert die("none", 0, references[0], processes=True)["code"] == 0
    for number in range(30):
        reference, blob = put(registry, source, number)
        point = source.randrange(2_000, len(registry.blobs[blob]))
        assert die("byte", point, reference, processes=True)["code"] == -signal.SIGXFSZ
        assert partial_size(home, blob) == point
        go_on(registry, home, reference, blob)
        references.append(reference)
    assert_nothing_is_lost(home, references)


def test_an_unpacker_killed_before_any_of_its_operations_leaves_nothing(registry, home, die):
    print("ORCHESTRA_TEST_SEED =", SEED)
    source = random.Random(SEED)
    references = [put(registry, source, "whole")[0]]
    assert die("none", 0, references[0])["code"] == 0
    for point in range(1, 100):
        reference, blob = put(registry, source, point)
        code = die("unpacker", point, reference, processes=True)["code"]
        assert unfinished_layers(home) == []
        go_on(registry, home, reference, blob)
        references.append(reference)
        if code == 0:
            break
        assert code == UNPACKER_DIED
    assert 10 < point < 99
    assert_nothing_is_lost(home, references)
