"""The images that builds make: their layers, configurations and histories, and where their bases come from."""

from __future__ import annotations

import gzip
import json

import pytest

from orchestra.build.step import BaseImage, ContextFiles, Copy, MakeDirectory, Scratch
from orchestra.driver.local.image.content.check import check_store
from orchestra.driver.local.image.content.parts import load_parts
from orchestra.driver.local.image.content.store import ContentStore
from orchestra.driver.local.image.library import Library
from orchestra.errors import OrchestraError
from tests.driver.local.build.making import MACHINE, PLATFORM, build, graph
from tests.driver.local.image.making import Made, entry, layer, needs_root

pytestmark = needs_root


@pytest.fixture
def context(tmp_path):
    """With a layout of an image of two layers in it."""
    path = tmp_path / "context"
    path.mkdir()
    (path / "file").write_text("f")
    layers = (layer(entry("etc/base", content=b"1")), layer(entry("etc/.wh.base"), entry("etc/more", content=b"2")))
    made = Made()
    made.name(made.image(layers, compress=gzip.compress, config={"Env": ["A=1"]}), "tag").write(path / "layout")
    return path


def test_layers_are_added_to_those_of_the_base(home, context):
    base = BaseImage("oci:./layout:tag", PLATFORM)
    wanted = graph(base, ContextFiles(), Copy(0, 1, ("file",), "/etc/"), config={"Cmd": ["x"]})
    built = build(home, wanted, context, names=("docker.io/library/made:1", "example.org/made:2"))
    content = ContentStore(home.content)
    parts = load_parts(content, built.digest)
    below = json.loads((context / "layout/index.json").read_text())["manifests"][0]["digest"]
    manifest = json.loads((context / f"layout/blobs/{below.replace(':', '/')}").read_text())
    assert [one.digest for one in parts.layers[:2]] == [one["digest"] for one in manifest["layers"]]
    assert len(parts.layers) == 3
    assert parts.document["config"] == {"Cmd": ["x"]}
    assert (parts.document["os"], parts.document["architecture"]) == ("linux", "amd64")
    [made] = [row for row in parts.document["history"] if row["created_by"] == "step 2"]
    assert "empty_layer" not in made
    assert parts.document["created"] == made["created"]
    assert {entry.digest for entry in content.entries().values() if "made" in entry.reference} == {built.digest}
    assert check_store(home).is_sound
    assert sorted(built.files(top="etc")) == ["etc", "etc/file", "etc/more"] or "etc/base" in built.files()


def test_a_step_without_a_change_makes_no_layer(home, context):
    steps = (Scratch(), ContextFiles(), Copy(0, 1, ("file",), "/"), MakeDirectory(2, "/"))
    built = build(home, graph(*steps), context)
    parts = load_parts(ContentStore(home.content), built.digest)
    assert len(parts.diff_ids) == 1
    assert [bool(row.get("empty_layer")) for row in parts.document["history"]] == [False, True]


def test_an_image_of_nothing_can_be_used(home):
    built = build(home, graph(Scratch(), MakeDirectory(0, "/")))
    assert built.files() == {}
    assert build(home, graph(MACHINE, MakeDirectory(0, "/tmp"))).files() == {}


def test_an_image_over_a_directory_of_the_machine_stays_there(home, context, tmp_path):
    build(home, graph(MACHINE, ContextFiles(), Copy(0, 1, ("file",), "/")), context, names=("docker.io/library/x:1",))
    with pytest.raises(OrchestraError, match=r"was built on rootfs:/, so it cannot leave this machine"):
        Library(home).push("x:1")
    # It can be a base itself.
    again = graph(BaseImage("x:1", PLATFORM), ContextFiles(), Copy(0, 1, ("file",), "/second"))
    assert {"file", "second"} <= set(build(home, again, context).files())


@pytest.mark.parametrize(
    ("reference", "message"),
    [("oci:missing", "does not exist"), ("rootfs:missing", "does not exist"), ("oci:layout:other", "other")],
)
def test_a_base_that_is_not_there(home, context, reference, message):
    with pytest.raises(OrchestraError, match=message):
        build(home, graph(BaseImage(reference, PLATFORM), MakeDirectory(0, "/x")), context)
