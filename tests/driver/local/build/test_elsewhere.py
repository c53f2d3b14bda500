"""Results of builds in one home that builds in another one take over: through a directory, a registry, and an image."""

from __future__ import annotations

import json
import shutil

import pytest

from orchestra.build.cache import CacheSource, CacheTarget, CacheType
from orchestra.build.event import StageOutput
from orchestra.build.step import ContextFiles, Copy, Scratch
from orchestra.driver.local.image.content.parts import load_parts
from orchestra.driver.local.image.content.store import ContentStore
from orchestra.driver.local.image.library import Library
from orchestra.errors import OrchestraError
from orchestra.home import Home
from tests.driver.local.build.making import build, graph
from tests.driver.local.image.making import needs_root
from tests.driver.local.image.registry.real import REGISTRY, running

pytestmark = needs_root
needs_registry = pytest.mark.skipif(not REGISTRY, reason="needs docker-registry (Debian: docker-registry)")
STEPS = graph(
    *(Scratch(), ContextFiles(), Copy(0, 1, ("a",), "/"), Copy(0, 1, ("b",), "/"), Copy(2, 3, ("b",), "/copied")),
)
"""The step 3 is that of another stage: nothing of it is in the image."""


@pytest.fixture
def other(tmp_path):
    return Home(f"{tmp_path}/other/data", f"{tmp_path}/other/run")


def said(built):
    return [event.line for event in built.events if isinstance(event, StageOutput) and event.line]


def to_directory(path, **more):
    return {"cache_to": (CacheTarget(CacheType.LOCAL, str(path), **more),)}


def from_directory(path, tag="latest"):
    return {"cache_from": (CacheSource(CacheType.LOCAL, str(path), tag),)}


def test_a_directory_brings_the_steps_of_the_image(home, other, context, tmp_path):
    first = build(home, STEPS, context, **to_directory(tmp_path / "cache"))
    second = build(other, STEPS, context, **from_directory(tmp_path / "cache"))
    assert (second.made, second.cached) == ([], [2, 4])
    assert second.id == first.id
    assert second.files() == first.files()
    # From now on they are known here.
    shutil.rmtree(tmp_path / "cache")
    assert build(other, STEPS, context).made == []


@pytest.mark.parametrize(("every_step", "made"), [(False, [3, 4]), (True, [4])])
def test_mode_max_brings_steps_of_other_stages_too(home, other, context, tmp_path, every_step, made):
    build(home, STEPS, context, **to_directory(tmp_path / "cache", every_step=every_step))
    changed = graph(*STEPS.steps[:4], Copy(2, 3, ("b",), "/elsewhere"))
    built = build(other, changed, context, **from_directory(tmp_path / "cache"))
    assert built.made == made
    assert built.files()["elsewhere"] == "644 b"


def test_only_what_is_needed_is_fetched(home, other, context, tmp_path):
    build(home, STEPS, context, **to_directory(tmp_path / "cache", every_step=True))
    index = json.loads((tmp_path / "cache/index.json").read_text())
    manifest = json.loads((tmp_path / f"cache/blobs/{index['manifests'][0]['digest'].replace(':', '/')}").read_text())
    assert len(manifest["layers"]) == 3
    build(other, STEPS, context, **from_directory(tmp_path / "cache"))
    content = ContentStore(other.content)
    assert sum(content.size(layer["digest"]) > 0 for layer in manifest["layers"]) == 2


def test_several_caches_share_a_directory(home, other, context, tmp_path):
    for tag, name in (("one", "a"), ("two", "b")):
        wanted = graph(Scratch(), ContextFiles(), Copy(0, 1, (name,), "/"))
        build(home, wanted, context, **to_directory(tmp_path / "cache", tag=tag))
    wanted = graph(Scratch(), ContextFiles(), Copy(0, 1, ("a",), "/"))
    assert build(other, wanted, context, **from_directory(tmp_path / "cache", "two")).made == [2]
    assert build(home, wanted, context, **from_directory(tmp_path / "cache", "one")).made == []


def damage_layer(path):
    for blob in (path / "blobs/sha256").iterdir():
        if blob.read_bytes()[:2] == b"\x1f\x8b":
            blob.write_bytes(b"damaged")


def damage_manifest(path):
    for blob in (path / "blobs/sha256").iterdir():
        blob.write_bytes(b"damaged")


@pytest.mark.parametrize(
    ("damage", "why"),
    [(shutil.rmtree, "No such file"), (damage_layer, "damaged"), (damage_manifest, "damaged")],
    ids=["no directory", "layer", "manifest"],
)
def test_what_cannot_be_read_is_left_out(home, other, context, tmp_path, damage, why):
    build(home, STEPS, context, **to_directory(tmp_path / "cache"))
    damage(tmp_path / "cache")
    built = build(other, STEPS, context, **from_directory(tmp_path / "cache"))
    assert built.made == [2, 3, 4]
    assert any("warning" in line and why in line for line in said(built)), said(built)


def test_records_of_buildkit_are_left_out(home, context, tmp_path):
    blobs = tmp_path / "cache/blobs/sha256"
    blobs.mkdir(parents=True)
    document = {"config": {"mediaType": "application/vnd.buildkit.cacheconfig.v0"}, "layers": []}
    digest = ContentStore(home.content).add_document(json.dumps(document).encode())
    shutil.copy(ContentStore(home.content).path(digest), blobs / digest.removeprefix("sha256:"))
    row = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1}
    row["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (tmp_path / "cache/index.json").write_text(json.dumps({"manifests": [row]}))
    built = build(home, STEPS, context, **from_directory(tmp_path / "cache"))
    assert said(built)[0] == "warning: it is not used: its records are BuildKit's"


def test_a_cache_that_cannot_be_written_fails_the_build_unless_it_may(home, context, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OrchestraError, match="cache"):
        build(home, STEPS, context, **to_directory(tmp_path / "cache"))
    built = build(home, STEPS, context, **to_directory(tmp_path / "cache", may_fail=True))
    assert said(built)[-1].startswith("warning: cache")


@needs_registry
def test_a_registry_and_an_image_in_it_bring_the_steps(home, other, context, tmp_path):
    with running(tmp_path / "registry") as host:
        name = f"{host}/shop:1"
        targets = (CacheTarget(CacheType.REGISTRY, f"{host}/shop:cache"), CacheTarget(CacheType.INLINE))
        first = build(home, STEPS, context, names=(name,), cache_to=targets)
        Library(home).push(name)
        second = build(other, STEPS, context, cache_from=(CacheSource(CacheType.REGISTRY, f"{host}/shop:cache"),))
        assert (second.made, second.cached) == ([], [2, 4])
        third_home = Home(f"{tmp_path}/third/data", f"{tmp_path}/third/run")
        third = build(third_home, STEPS, context, cache_from=(CacheSource(CacheType.REGISTRY, name),))
        assert (third.made, third.cached) == ([], [2, 4])
        assert third.files() == second.files() == first.files()
        missing = (CacheSource(CacheType.REGISTRY, f"{host}/none:1"), CacheSource(CacheType.ACTIONS))
        again = build(home, STEPS, context, cache_from=missing)
    assert ["warning" in line for line in said(again)][:2] == [True, True]


def test_an_inline_cache_leaves_the_image_the_same_everywhere(home, other, context):
    targets = (CacheTarget(CacheType.INLINE),)
    images = {build(each, STEPS, context, cache_to=targets, epoch=1_600_000_000).id for each in (home, other)}
    assert len(images) == 1
    content = ContentStore(home.content)
    built = build(home, STEPS, context, cache_to=targets, epoch=1_600_000_000)
    assert len(load_parts(content, built.digest).document["io.orchestra.build-cache"]["steps"]) == 2
