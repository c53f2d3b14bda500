"""Layers side by side in processes: the same as one after the other, whatever happens to a process."""

from __future__ import annotations

import signal
import sys

import pytest

from orchestra.driver.local.image.content.check import check_store
from orchestra.driver.local.image.layers import parallel as layers_module
from orchestra.driver.local.image.store import ImageStore
from orchestra.errors import FatalError, TemporaryError
from orchestra.model.desired import ImageSpec
from tests.debian import home_in
from tests.driver.local.image.making import Made, compressed, directory, entry, layer, link, needs_root, tree

pytestmark = needs_root

LAYERS = [
    layer(
        directory("etc", mode=0o750, uid=3, mtime=9),
        entry("etc/name", content=b"low"),
        link("lib", "usr/lib"),
        directory("usr"),
        directory("usr/lib"),
    ),
    layer(directory("d"), *(entry(f"d/{i}", content=b"x" * i) for i in range(300))),
    # Through directories without an entry, one of them a link: this one needs those below it.
    layer(entry("etc/more", content=b"more"), entry("lib/x"), entry("d/.wh.7")),
    layer(directory("d"), entry("d/.wh.8"), directory("e"), entry("e/.wh..wh..opq")),
]


@pytest.fixture(autouse=True)
def always_processes(monkeypatch):
    monkeypatch.setattr(layers_module, "WORTHWHILE", 0)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(3)))


@pytest.fixture
def reference(tmp_path):
    made = Made()
    return made.name(made.image(LAYERS, compress=compressed)).write(tmp_path / "image")


def trees(store, image):
    """Without whiteouts' times, which mean nothing."""
    found = [tree(path) for path in store.resolve(image.digest).layers]
    return [{name: about[:1] if about[0] == "0o20000" else about for name, about in each.items()} for each in found]


def test_processes_make_what_one_would(tmp_path, reference, monkeypatch):
    side_by_side = ImageStore(home_in(tmp_path / "processes"))
    image = side_by_side.pull(ImageSpec(reference))
    monkeypatch.setattr(layers_module, "WORTHWHILE", 1 << 40)
    alone = ImageStore(home_in(tmp_path / "alone"))
    assert alone.pull(ImageSpec(reference)).digest == image.digest
    assert trees(side_by_side, image) == trees(alone, image)
    assert trees(alone, image)[1]["etc"][:3] == ["0o40750", 3, 0]
    assert check_store(home_in(tmp_path / "processes")).is_sound


@pytest.mark.parametrize("program", ["kill -KILL $$", "exit 3"])
def test_a_process_that_ends_is_reported_and_the_next_pull_succeeds(tmp_path, reference, monkeypatch, program):
    store = ImageStore(home_in(tmp_path / "home"))
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{program}\n")
    python.chmod(0o755)
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", str(python))
        with pytest.raises(TemporaryError, match=f"ended with ({-signal.SIGKILL}|3)"):
            store.pull(ImageSpec(reference))
    assert store.observe([ImageSpec(reference)]) == {}
    store.pull(ImageSpec(reference))
    assert store.observe([ImageSpec(reference)]).keys() == {reference}


def test_what_is_wrong_with_a_layer_is_told_as_if_it_had_happened_here(tmp_path):
    made = Made()
    broken = [*LAYERS, layer(entry("../up"))]
    reference = made.name(made.image(broken, compress=compressed)).write(tmp_path / "image")
    store = ImageStore(home_in(tmp_path / "home"))
    with pytest.raises(FatalError, match="leads out of the image") as caught:
        store.pull(ImageSpec(reference))
    assert caught.value.hint
    assert store.observe([ImageSpec(reference)]) == {}
