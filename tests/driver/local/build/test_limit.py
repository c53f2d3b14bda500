"""What goes when builds remember too much, and what stays."""

from __future__ import annotations

import os

import pytest

from orchestra.build.step import CacheMount, ContextFiles, Copy, Scratch
from orchestra.driver.local.build.builder import opened_builder
from orchestra.driver.local.build.kept import USED, note_use
from orchestra.driver.local.build.limit import Busy, refuse_to_wait, shrink_builds
from orchestra.driver.local.build.records import StepRecords
from orchestra.driver.local.build.upkeep import measure_builds
from orchestra.driver.local.image.content.store import ContentStore
from orchestra.driver.local.image.library import Library
from orchestra.driver.local.snapshot import Snapshotter
from tests.driver.local.build.making import MACHINE, build, graph, shell
from tests.driver.local.image.making import needs_root

pytestmark = needs_root
BYTES = 64 << 10


@pytest.fixture
def context(tmp_path):
    path = tmp_path / "context"
    path.mkdir()
    for name in ("a", "b", "c"):
        (path / name).write_bytes(os.urandom(BYTES))
    return path


def copies(*names):
    """One step for each name, on top of each other."""
    steps = [Copy(0 if number == 0 else number + 1, 1, (name,), "/") for number, name in enumerate(names)]
    return graph(Scratch(), ContextFiles(), *steps)


def forget_image(home, built):
    """Only what builds remember keeps its layers."""
    content = ContentStore(home.content)
    for entry in list(content.entries()):
        content.remove_entry(entry)
    Library(home).prune()
    assert content.size(built.digest) < 0


def age(home):
    """All that is remembered so far was used long ago."""
    directory = f"{home.builds}/steps"
    for name in os.listdir(directory):
        os.utime(f"{directory}/{name}", (1, 1))


def left(home, context, *names):
    """How many of these steps are known."""
    return len(names) - len(build(home, copies(*names), context).made)


def test_what_was_used_least_recently_goes_first_and_the_topmost_of_it(home, context):
    old = build(home, copies("a", "b"), context)
    age(home)
    build(home, copies("c"), context)
    forget_image(home, old)
    assert shrink_builds(home, 4 * BYTES, refuse_to_wait) == 0
    assert shrink_builds(home, 2 * BYTES + BYTES // 2, refuse_to_wait) >= BYTES
    assert len(Snapshotter(home).chain_ids()) == 3  # with that of nothing
    assert left(home, context, "c") == 1
    assert left(home, context, "a", "b") == 1


def test_a_use_counts_for_what_is_below(home, context):
    first = build(home, copies("a"), context)
    [lowest] = StepRecords(home).keys()
    build(home, copies("a", "b"), context)
    build(home, copies("c"), context)
    os.utime(f"{home.builds}/steps/{lowest}.json", (1, 1))
    forget_image(home, first)
    shrink_builds(home, 2 * BYTES + BYTES // 2, refuse_to_wait)
    assert left(home, context, "c") == 1
    assert left(home, context, "a", "b") == 1


def test_layers_of_images_do_not_count_and_stay(home, context):
    built = build(home, copies("a", "b"), context, names=("docker.io/library/kept:1",))
    shrink_builds(home, 0, refuse_to_wait)
    assert sorted(built.files()) == ["a", "b"]
    assert left(home, context, "a", "b") == 2
    assert measure_builds(home, Snapshotter(home).chain_ids()).size == 0


def test_caches_and_what_was_fetched_go_too(home, context):
    writes = shell(0, f"head -c {BYTES} /dev/urandom > /cache/file", mounts=(CacheMount("/cache", "mine"),))
    build(home, graph(MACHINE, writes))
    fetched = f"{home.builds}/downloads/origin/commit"
    os.makedirs(fetched)
    with open(f"{fetched}/file", "wb") as file:
        file.write(os.urandom(BYTES))
    note_use(fetched, changed=True)
    os.utime(f"{fetched}{USED}", (1, 1))
    assert measure_builds(home, ()).size >= 2 * BYTES
    shrink_builds(home, BYTES + BYTES // 2, refuse_to_wait)
    assert os.listdir(f"{home.builds}/downloads/origin") == []
    [cache] = [name for name in os.listdir(f"{home.builds}/caches") if not name.endswith(USED)]
    assert sorted(os.listdir(f"{home.builds}/caches/{cache}")) == ["data", "lock"]
    shrink_builds(home, 0, refuse_to_wait)
    assert os.listdir(f"{home.builds}/caches/{cache}") == ["lock"]


def test_nothing_goes_while_a_build_runs(home, context):
    build(home, copies("a"), context)
    with opened_builder(home), pytest.raises(Busy):
        shrink_builds(home, 0, refuse_to_wait)
    assert left(home, context, "a") == 1
