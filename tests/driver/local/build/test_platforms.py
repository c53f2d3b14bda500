"""Images for other platforms: what can be built without running anything, what cannot, and several in one image."""

from __future__ import annotations

import gzip
import json

import pytest

from orchestra.build.step import BaseImage, ContextFiles, Copy, Scratch
from orchestra.driver.local.build.builder import opened_builder
from orchestra.driver.local.build.execute import StepError
from orchestra.driver.local.image.content.collect import collect
from orchestra.driver.local.image.content.nameless import find_nameless
from orchestra.driver.local.image.content.parts import load_parts
from orchestra.driver.local.image.content.store import ContentStore
from orchestra.driver.local.image.library import Library
from orchestra.driver.local.image.store import ImageStore
from orchestra.linux.binfmt import interpreters
from orchestra.model.desired import ImageSpec
from orchestra.record import replace
from tests.driver.local.build.making import PLATFORM, build, graph, shell
from tests.driver.local.build.test_elsewhere import needs_registry
from tests.driver.local.image.making import Made, entry, layer, needs_root
from tests.driver.local.image.registry.real import running

pytestmark = needs_root
FOREIGN = "linux/s390x"
NAME = "docker.io/library/shop:1"


@pytest.fixture
def context(tmp_path):
    """With a layout of an image for another processor in it."""
    path = tmp_path / "context"
    path.mkdir()
    (path / "file").write_text("f")
    made = Made()
    image = made.image((layer(entry("etc/base", content=b"1")),), compress=gzip.compress, architecture="s390x")
    made.name(image, "tag").write(path / "layout")
    return path


def for_platform(platform, *steps):
    wanted = graph(*steps)
    return replace(wanted, result=replace(wanted.result, platform=platform))


def test_files_need_no_processor(home, context):
    base = BaseImage("oci:./layout:tag", FOREIGN)
    built = build(home, for_platform(FOREIGN, base, ContextFiles(), Copy(0, 1, ("file",), "/")), context)
    assert load_parts(ContentStore(home.content), built.digest).document["architecture"] == "s390x"


@pytest.mark.skipif(any(one.architecture == "s390x" for one in interpreters()), reason="s390x is emulated here")
def test_a_command_for_another_processor_fails_before_anything_runs(home, context):
    base = BaseImage("oci:./layout:tag", FOREIGN)
    steps = (base, ContextFiles(), Copy(0, 1, ("file",), "/"), shell(2, "true"))
    with pytest.raises(StepError, match="the command is for linux/s390x") as found:
        build(home, for_platform(FOREIGN, *steps), context)
    assert "qemu-user-static" in found.value.hint
    assert not ImageStore(home).content.entries().keys() - {f"oci:{context}/layout:tag"}


def both(home, context, names):
    """One image for two platforms."""
    with opened_builder(home) as builder:
        built = {
            platform: build(home, for_platform(platform, Scratch(), ContextFiles(), Copy(0, 1, (name,), "/")), context)
            for platform, name in ((FOREIGN, "file"), (PLATFORM, "layout/oci-layout"))
        }
        chosen = builder.name_index(built, names)
    return built, chosen


def test_this_machines_image_is_the_one_that_is_used(home, context):
    built, chosen = both(home, context, (NAME,))
    assert chosen.digest == built[PLATFORM].digest
    assert ImageStore(home).pull(ImageSpec("shop:1", None, "never")).digest == chosen.digest
    content = ContentStore(home.content)
    assert not [stored for stored, _ in find_nameless(content)]
    collect(home)
    assert all(content.size(one.digest) > 0 for one in built.values())
    content.remove_entry(NAME)
    collect(home)
    assert all(content.size(one.digest) < 0 for one in built.values())


@needs_registry
def test_all_of_it_is_pushed(home, context, tmp_path):
    with running(tmp_path / "registry") as host:
        built, _ = both(home, context, (f"{host}/shop:1",))
        pushed = Library(home).push(f"{host}/shop:1")
        index = json.loads(ContentStore(home.content).read(pushed.digest))
        assert [row["digest"] for row in index["manifests"]] == [one.digest for one in built.values()]
        other = type(home)(f"{tmp_path}/other/data", f"{tmp_path}/other/run")
        for platform, one in built.items():
            assert ImageStore(other).pull(ImageSpec(f"{host}/shop:1", platform, "always")).digest == one.digest
        # Of an image that is not here as a whole, what is here is pushed.
        again = type(home)(f"{tmp_path}/again/data", f"{tmp_path}/again/run")
        ImageStore(again).pull(ImageSpec(f"{host}/shop:1", FOREIGN, "always"))
        assert Library(again).push(f"{host}/shop:1").digest == built[FOREIGN].digest
