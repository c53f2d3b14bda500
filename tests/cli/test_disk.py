"""``system df`` tells what takes space, and what of it nobody would miss."""

from __future__ import annotations

import json
import os

import pytest

from orchestra.driver.local.disk import measure
from orchestra.driver.local.image.library import Library
from orchestra.driver.local.volume.store import create_volume
from orchestra.model.desired import VolumeSpec
from orchestra.model.observed import Container, Created
from tests.driver.local.image.making import entry, layer, needs_root

pytestmark = needs_root

BLOCK = b"?" * (1 << 20)
SHARED = layer(entry("shared", content=os.urandom(100_000)))


@pytest.fixture
def put(orchestra, tmp_path):
    def put(name: str, *options: str) -> None:
        (tmp_path / "rootfs.tar").write_bytes(SHARED)
        assert orchestra("image", "import", *options, f"{tmp_path}/rootfs.tar", name)[0] == 0

    return put


def add(by_hand, home, name, *, image="", volumes=(), running=False):
    """A container that has written a mebibyte."""
    digest = Library(home).find(image).entry.digest if image else "rootfs:1-2:/"
    by_hand.add(
        Container(
            name, "web", 1, f"id-of-{name}", "hash", image or "rootfs:/", digest, Created(), 0.0, volumes=tuple(volumes)
        )
    )
    if running:
        by_hand.run(name)
    written = f"{home.snapshots}/containers/s/{name}/fs"
    os.makedirs(written)
    with open(f"{written}/file", "wb") as file:
        file.write(BLOCK)


def rows(orchestra):
    return {row["Type"]: row for row in map(json.loads, orchestra("system", "df", "--format", "json")[1].splitlines())}


def test_an_empty_home(home, orchestra):
    assert orchestra("system", "df")[1].splitlines() == [
        "TYPE            TOTAL   ACTIVE   SIZE   RECLAIMABLE",
        "Images          0       0        0B     0B",
        "Containers      0       0        0B     0B",
        "Local Volumes   0       0        0B     0B",
        "Build Cache     0       0        0B     0B",
        "Logs            0       0        0B     0B",
    ]
    assert orchestra("system", "df", "-v")[0] == 0


def test_what_each_kind_takes_and_what_is_in_use(home, by_hand, orchestra, put):
    put("used:1", "-c", "CMD used")
    put("idle:1", "-c", "CMD idle")
    for name in ("mounted", "lonely"):
        create_volume(home, "s", VolumeSpec(name, name, "hash"))
        with open(f"{home.volumes}/{name}/_data/file", "wb") as file:
            file.write(BLOCK)
    add(by_hand, home, "s-web-1", image="used:1", volumes=["mounted"], running=True)
    add(by_hand, home, "s-job-1")
    for name in ("s-web-1", "gone-1"):
        with open(f"{by_hand.home.logs}/{name}.log.1", "wb") as file:
            file.write(BLOCK)
    found = rows(orchestra)
    assert {kind: (row["TotalCount"], row["Active"]) for kind, row in found.items()} == {
        "Images": ("2", "1"),
        "Containers": ("2", "1"),
        "Local Volumes": ("2", "1"),
        "Build Cache": ("0", "0"),
        "Logs": ("2", "1"),
    }
    for kind in ("Containers", "Local Volumes", "Logs"):
        assert found[kind]["Size"][:2] == "2."
        assert found[kind]["Reclaimable"][:2] == "1."
        assert found[kind]["Reclaimable"].endswith("MB (50%)")
    assert orchestra("system", "df", "--format", "{{.Type}}")[1].splitlines() == list(found)
    verbose = orchestra("system", "df", "-v")[1]
    for words in ("used ", "idle ", "s-web-1", "mounted ", "gone-1 ", "Logs space usage:"):
        assert words in verbose


def test_what_images_share_is_counted_once_and_missed_by_somebody(home, by_hand, orchestra, put):
    put("used:1", "-c", "CMD used")
    put("idle:1", "-c", "CMD idle")
    orchestra("image", "tag", "idle:1", "idle:2")
    add(by_hand, home, "s-web-1", image="used:1")
    disk = measure(home)
    used, idle = sorted(disk.images, key=lambda image: image.items[0].entry.reference, reverse=True)
    assert [item.entry.reference[-6:] for item in idle.items] == ["idle:1", "idle:2"]
    assert (used.containers, idle.containers) == (1, 0)
    assert used.shared == idle.shared > len(SHARED)
    own = idle.size - idle.shared
    assert 0 < own < 2000  # manifest and configuration
    assert disk.images_size == used.size + own
    assert disk.images_reclaimable == own
    before = disk.images_size
    orchestra("image", "rm", "-f", orchestra("image", "ls", "-q", "idle")[1].strip())
    assert measure(home).images_size == before - own
