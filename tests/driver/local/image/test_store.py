"""Images from layouts and archives as other tools write them, made ready and looked at."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestra.driver.local.image import store as store_module
from orchestra.driver.local.image.content.store import ContentStore, Stored
from orchestra.driver.local.image.documents.config import ImageConfig
from orchestra.driver.local.image.layers.lookup import read_file
from orchestra.driver.local.image.source import stamp_of
from orchestra.driver.local.image.store import ImageStore
from orchestra.errors import FatalError
from orchestra.home import Home
from orchestra.model.desired import ImageSpec
from tests.forking import fork

from .making import (
    ARCHITECTURE,
    DOCKER,
    OCI,
    Made,
    archive,
    compressed,
    digest,
    directory,
    docker_archive,
    entry,
    hard_link,
    layer,
    link,
    needs_root,
    render_config,
)

if TYPE_CHECKING:
    from orchestra.model.observed import Image

pytestmark = needs_root

LOW = layer(directory("etc"), entry("etc/name", content=b"low"), entry("etc/base", content=b"base"))
HIGH = layer(entry("etc/name", content=b"high"))
OTHER = layer(entry("etc/name", content=b"other"))


@pytest.fixture
def home(tmp_path):
    return Home(f"{tmp_path}/home/data", f"{tmp_path}/home/run")


@pytest.fixture
def store(home):
    return ImageStore(home)


def name_in(store, image: Image) -> bytes | None:
    return read_file(store.resolve(image.digest).layers, "/etc/name")


def check(store, reference, expected=b"high", **more):
    """Pull, and everything that holds for an image that is ready."""
    image = store.pull(ImageSpec(reference, **more))
    spec = ImageSpec(reference, platform=more.get("platform", ""))
    assert store.observe([spec]) == {spec.key: image}
    assert store.pull(ImageSpec(reference, **more)) == image
    assert store.pull(ImageSpec(reference, pull_policy="never", platform=more.get("platform", ""))) == image
    ready = store.resolve(image.digest)
    assert ready.digest == image.digest
    assert all(os.path.isdir(path) for path in ready.layers)
    assert name_in(store, image) == expected
    return image


@pytest.mark.parametrize("family", [OCI, DOCKER])
@pytest.mark.parametrize("compress", [None, compressed], ids=["plain", "gzip"])
def test_a_layout_in_a_directory(store, tmp_path, family, compress):
    made = Made()
    made.name(made.image([LOW, HIGH], family=family, compress=compress, config={"Cmd": ["run"]}), "1.0")
    reference = made.write(tmp_path / "layout")
    for text in (reference, f"{reference}:1.0"):
        image = check(store, text)
        assert image.digest == made.listed[0]["digest"]
        ready = store.resolve(image.digest)
        assert ready.config == ImageConfig(command=("run",))
        assert len(ready.layers) == 2
        assert read_file(ready.layers, "/etc/base") == b"base"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_layout_in_an_archive(store, tmp_path, pack):
    made = Made()
    made.name(made.image([LOW, HIGH], compress=compressed), "1.0")
    (tmp_path / "image.tar").write_bytes(pack(archive(made.files)))
    check(store, f"oci-archive:{tmp_path}/image.tar:1.0")


@pytest.mark.parametrize("modern", [False, True], ids=["docker 24", "docker 25"])
def test_what_docker_save_writes(store, tmp_path, modern):
    reference = docker_archive(tmp_path / "image.tar", [LOW, HIGH], modern=modern)
    for text in (reference, f"{reference}:app:1", f"{reference}:@0"):
        check(store, text)
    packed = tmp_path / "image.tar.gz"
    packed.write_bytes(gzip.compress((tmp_path / "image.tar").read_bytes()))
    check(store, f"docker-archive:{packed}")


def test_layers_that_old_docker_links_to_each_other(store, tmp_path):
    config = render_config([LOW, LOW, HIGH])
    manifest = [{"Config": "c.json", "RepoTags": None, "Layers": ["a/layer.tar", "b/layer.tar", "./c/layer.tar"]}]
    (tmp_path / "image.tar").write_bytes(
        layer(
            entry("a/layer.tar", content=LOW),
            link("b/layer.tar", "../a/layer.tar"),
            entry("d", content=HIGH),
            hard_link("c/layer.tar", "d"),
            entry("c.json", content=config),
            entry("manifest.json", content=json.dumps(manifest).encode()),
        )
    )
    check(store, f"docker-archive:{tmp_path}/image.tar")


def test_the_same_image_by_any_way_has_the_same_layers(store, tmp_path):
    made = Made()
    reference = made.name(made.image([LOW, HIGH], compress=compressed)).write(tmp_path / "layout")
    other = docker_archive(tmp_path / "image.tar", [LOW, HIGH])
    assert store.resolve(check(store, reference).digest).layers == store.resolve(check(store, other).digest).layers


def test_names_in_docker_archives_may_leave_out_what_docker_leaves_out(store, tmp_path):
    reference = docker_archive(tmp_path / "image.tar", [HIGH], names=["registry.example/library/app:latest"])
    for name in ("registry.example/library/app:latest", "library/app:latest", "app:latest", "app"):
        check(store, f"{reference}:{name}")


def test_a_platform_is_chosen_through_nested_indexes(store, tmp_path):
    made = Made()
    foreign = made.image([OTHER], architecture="s390x")
    native = made.image([HIGH])
    attestation = made.image([], architecture="unknown")
    inner = made.index(
        {**foreign, "platform": {"os": "linux", "architecture": "s390x"}},
        {**native, "platform": {"os": "linux", "architecture": json.loads(render_config([]))["architecture"]}},
        {**attestation, "platform": {"os": "unknown", "architecture": "unknown"}},
        media_type=f"{DOCKER}.distribution.manifest.list.v2+json",
    )
    made.name(made.index(inner))
    reference = made.write(tmp_path / "layout")
    assert check(store, reference).digest == native["digest"]
    assert check(store, reference, b"other", platform="linux/s390x").digest == foreign["digest"]
    with pytest.raises(FatalError, match=r"not for linux/riscv64, but for linux/s390x, linux/") as caught:
        store.pull(ImageSpec(reference, platform="linux/riscv64"))
    assert "platform" in caught.value.hint


def test_a_layout_that_lists_platforms_itself_is_an_index(store, tmp_path):
    made = Made()
    for data, architecture in ((OTHER, "s390x"), (HIGH, "arm64")):
        image = made.image([data], architecture=architecture)
        made.name({**image, "platform": {"os": "linux", "architecture": architecture}})
    check(store, made.write(tmp_path / "layout"), platform="linux/arm64")


def test_an_image_for_another_machine_is_refused_unless_asked_for(store, tmp_path):
    made = Made()
    reference = made.name(made.image([HIGH], architecture="s390x")).write(tmp_path / "layout")
    archived = docker_archive(tmp_path / "image.tar", [HIGH])
    with pytest.raises(FatalError, match="linux/s390x"):
        store.pull(ImageSpec(reference))
    with pytest.raises(FatalError, match="not for linux/s390x"):
        store.pull(ImageSpec(archived, platform="linux/s390x"))
    check(store, reference, platform="linux/s390x")


def test_an_image_without_layers_is_an_empty_directory(store, tmp_path):
    made = Made()
    reference = made.name(made.image([])).write(tmp_path / "layout")
    ready = store.resolve(check(store, reference, None).digest)
    assert len(ready.layers) == 1
    assert os.listdir(ready.layers[0]) == []


def test_a_layer_that_hides_everything_below_is_the_lowest(store, tmp_path):
    made = Made()
    fresh = layer(entry(".wh..wh..opq"), entry("etc/name", content=b"fresh"))
    image = check(store, made.name(made.image([LOW, fresh])).write(tmp_path / "layout"), b"fresh")
    ready = store.resolve(image.digest)
    assert len(ready.layers) == 1
    assert read_file(ready.layers, "/etc/base") is None


# What a reference names now


def test_a_tag_that_moved_is_not_ready_until_it_is_pulled_again(store, home, tmp_path):
    made = Made()
    reference = made.name(made.image([LOW])).write(tmp_path / "layout")
    first = check(store, reference, b"low")
    made.listed.clear()
    made.name(made.image([LOW, HIGH])).write(tmp_path / "layout")
    assert store.observe([ImageSpec(reference)]) == {}
    assert ImageStore(home).observe([ImageSpec(reference)]) == {}
    with pytest.raises(FatalError, match="never"):
        store.pull(ImageSpec(reference, pull_policy="never"))
    second = check(store, reference, b"high")
    assert first.digest != second.digest
    assert name_in(store, first) == b"low"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_an_archive_that_changed_in_place_is_not_ready(store, tmp_path, pack):
    """Even within the same tick of the file system's clock and with its old time set again."""
    path = tmp_path / "image.tar"
    reference = docker_archive(path, [HIGH])
    path.write_bytes(pack(path.read_bytes()))
    check(store, reference)
    times = path.stat()
    docker_archive(tmp_path / "new.tar", [OTHER])
    with open(path, "r+b") as file:
        file.write(pack((tmp_path / "new.tar").read_bytes()))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert store.observe([ImageSpec(reference)]) == {}
    check(store, reference, b"other")


def test_an_archive_that_only_got_a_new_time_is_still_ready(store, tmp_path):
    reference = docker_archive(tmp_path / "image.tar", [HIGH])
    image = check(store, reference)
    os.utime(tmp_path / "image.tar")
    assert store.observe([ImageSpec(reference)]) == {reference: image}


def test_a_stamp_is_trusted_only_when_a_later_change_must_show_in_it(tmp_path, monkeypatch):
    path = tmp_path / "image.tar"
    path.touch()
    changed = path.stat().st_ctime_ns
    for seconds, settled in ((0, False), (1, False), (3, True)):
        monkeypatch.setattr("time.time_ns", lambda seconds=seconds: changed + seconds * 10**9)
        assert stamp_of(str(path)).settled is settled


def test_a_settled_archive_is_not_opened_again(home, tmp_path, monkeypatch):
    monkeypatch.setattr("orchestra.driver.local.image.source.SETTLED", -1)
    reference = docker_archive(tmp_path / "image.tar", [HIGH])
    image = ImageStore(home).pull(ImageSpec(reference))
    monkeypatch.setattr(store_module, "opened_source", None)
    assert ImageStore(home).observe([ImageSpec(reference)]) == {reference: image}
    assert ImageStore(home).pull(ImageSpec(reference)) == image


def test_an_image_outlives_what_it_came_from(store, tmp_path):
    reference = docker_archive(tmp_path / "image.tar", [HIGH])
    image = check(store, reference)
    (tmp_path / "image.tar").unlink()
    check(store, reference)
    with pytest.raises(FatalError, match="does not exist"):
        store.pull(ImageSpec(reference, pull_policy="always"))
    assert store.observe([ImageSpec(reference)]) == {reference: image}


def test_an_image_whose_layer_was_taken_away_is_made_again(store, home, tmp_path):
    reference = docker_archive(tmp_path / "image.tar", [LOW, HIGH])
    image = check(store, reference)
    os.rename(store.resolve(image.digest).layers[0], tmp_path / "taken")
    assert store.observe([ImageSpec(reference)]) == {}
    with pytest.raises(FatalError, match="not on this machine"):
        store.resolve(image.digest)
    assert check(store, reference).digest == image.digest


def test_pull_policy_never_takes_only_what_is_ready(store, tmp_path):
    reference = docker_archive(tmp_path / "image.tar", [HIGH])
    with pytest.raises(FatalError, match="pull_policy is never") as caught:
        store.pull(ImageSpec(reference, pull_policy="never"))
    assert caught.value.hint
    assert store.observe([ImageSpec(reference)]) == {}


# Directory trees


def test_a_tree_is_an_image_as_it_is(store, tmp_path):
    (tmp_path / "tree/etc").mkdir(parents=True)
    (tmp_path / "tree/etc/name").write_text("high")
    (tmp_path / "link").symlink_to("tree")
    image = check(store, f"rootfs:{tmp_path}/tree")
    assert store.resolve(image.digest).config == ImageConfig()
    assert store.resolve(image.digest).layers == (f"{tmp_path}/tree",)
    assert check(store, f"rootfs:{tmp_path}/link").digest == image.digest


def test_another_tree_in_its_place_is_another_image(store, tmp_path):
    (tmp_path / "tree").mkdir()
    image = store.pull(ImageSpec(f"rootfs:{tmp_path}/tree"))
    (tmp_path / "tree").rename(tmp_path / "old")
    (tmp_path / "tree").mkdir()
    assert store.pull(ImageSpec(f"rootfs:{tmp_path}/tree")).digest != image.digest
    with pytest.raises(FatalError, match="another directory now"):
        store.resolve(image.digest)


# What cannot be made ready


def layout(tmp_path, **more):
    made = Made()
    made.name(made.image([HIGH], **more))
    return made


def broken(change):
    def write(tmp_path):
        made = layout(tmp_path)
        change(made)
        return made.write(tmp_path / "image")

    return write


def write_file(content, transport):
    def write(tmp_path):
        (tmp_path / "image.tar").write_bytes(content)
        return f"{transport}:{tmp_path}/image.tar"

    return write


def with_manifest(document):
    return write_file(archive({"manifest.json": json.dumps(document).encode()}), "docker-archive")


def damage_layer(made):
    made.files[f"blobs/{digest(HIGH).replace(':', '/')}"] = HIGH[:-1] + b"!"


def lengthen_layer(made):
    made.files[f"blobs/{digest(HIGH).replace(':', '/')}"] = HIGH + bytes(512)


def point_elsewhere(made):
    made.listed[0]["digest"] = "sha256:../../../../etc/passwd"
    made.name(made.listed.pop())


REFUSED = {
    "no name at all": (lambda path: "Nginx:1.27", "capital letters"),
    "a missing directory": (lambda path: f"oci:{path}/nothing", "does not exist"),
    "a missing archive": (lambda path: f"docker-archive:{path}/nothing", "does not exist"),
    "a missing tree": (lambda path: f"rootfs:{path}/nothing", "nothing does not exist"),
    "a tree that is a file": (lambda path: write_file(b"", "rootfs")(path), "is not a directory"),
    "a layout that is a file": (write_file(b"", "oci"), "is not a directory"),
    "an archive that is a directory": (lambda path: f"oci-archive:{path}", "is not a file"),
    "an archive that is none": (write_file(b"text" * 1000, "oci-archive"), "damaged"),
    "an archive of nothing": (write_file(b"", "docker-archive"), "damaged|manifest.json"),
    "an archive cut off": (write_file(archive({"manifest.json": b"x" * 5000})[:2000], "docker-archive"), "damaged"),
    "an archive cut off in gzip": (write_file(gzip.compress(os.urandom(9000))[:5000], "docker-archive"), "damaged"),
    "an archive of another kind": (write_file(archive({"index.html": b""}), "oci-archive"), "no index.json"),
    "a layout for a docker archive": (write_file(archive({"index.json": b"{}"}), "docker-archive"), "no manifest.json"),
    "a directory without an index": (lambda path: f"oci:{path}", "no index.json"),
    "an index that is no JSON": (broken(lambda made: made.files.update({"index.json": b"{"})), "not JSON"),
    "an index without manifests": (broken(lambda made: made.files.update({"index.json": b"{}"})), "no manifests"),
    "a digest that is a path": (broken(point_elsewhere), "not a sha256 digest"),
    "a damaged layer": (broken(damage_layer), "damaged"),
    "a layer longer than it says": (broken(lengthen_layer), "damaged"),
    "a missing layer": (broken(lambda made: made.files.pop(f"blobs/{digest(HIGH).replace(':', '/')}")), "No such file"),
    "a damaged manifest": (
        broken(lambda made: made.files.update({f"blobs/{made.listed[0]['digest'].replace(':', '/')}": b"{}"})),
        "damaged",
    ),
    "a tag that is not there": (
        lambda path: layout(path).write(path / "image") + ":missing",
        "no image called 'missing'",
    ),
    "an artifact": (
        lambda path: layout(path, config_type="application/vnd.example+json").write(path / "i"),
        "not a container image",
    ),
    "a strange layer": (lambda path: layout(path, layer_type="application/zip").write(path / "i"), "application/zip"),
    "an encrypted layer": (
        lambda path: layout(path, layer_type=f"{OCI}.layer.v1.tar+gzip+encrypted").write(path / "i"),
        "encrypted",
    ),
    "a diff id that is another": (lambda path: layout(path, diff_ids=[digest(b"")]).write(path / "i"), "unpacks to"),
    "too few diff ids": (lambda path: layout(path, diff_ids=[]).write(path / "i"), "has 1 layers, but its config 0"),
    "a docker archive without images": (with_manifest([]), "not exactly one image"),
    "a docker archive of nonsense": (with_manifest({"a": 1}), "not a list"),
    "a docker archive without its config": (with_manifest([{"Config": "c", "Layers": []}]), "has no c"),
    "a docker archive of wrong types": (with_manifest([{"Config": 1, "Layers": []}]), "not a string"),
    "an image that is not there": (
        lambda path: docker_archive(path / "a", [HIGH]) + ":b:2",
        "no single image called 'b:2'",
    ),
    "an index that is not there": (lambda path: docker_archive(path / "a", [HIGH]) + ":@1", "has 1 images"),
    "a link in a circle": (
        write_file(layer(link("manifest.json", "manifest.json")), "docker-archive"),
        "no manifest.json",
    ),
}


@pytest.mark.parametrize(("write", "words"), REFUSED.values(), ids=REFUSED)
def test_is_refused_with_a_way_out_and_leaves_no_image(store, home, tmp_path, write, words):
    reference = write(tmp_path)
    with pytest.raises(FatalError, match=words) as caught:
        store.pull(ImageSpec(reference))
    assert caught.value.hint or "No such file" in caught.value.message
    assert store.observe([ImageSpec(reference)]) == {}
    layers = Path(home.snapshots, "layers")
    assert not layers.exists() or os.listdir(layers) == []


def test_several_images_without_a_choice_are_refused_with_their_names(store, tmp_path):
    made = Made()
    made.name(made.image([HIGH]), "one").name(made.image([LOW]), "two")
    reference = made.write(tmp_path / "layout")
    with pytest.raises(FatalError, match="but one, two"):
        store.pull(ImageSpec(reference))
    check(store, f"{reference}:one")
    check(store, f"{reference}:two", b"low")


def test_an_unknown_digest_is_not_on_this_machine(store):
    with pytest.raises(FatalError, match="not on this machine"):
        store.resolve(digest(b""))


def test_observing_never_fails(store, tmp_path):
    references = ["", "nginx", "oci:relative", f"oci:{tmp_path}/no", f"rootfs:{tmp_path}/no", "docker://x"]
    assert store.observe(map(ImageSpec, references)) == {}


# Crashes and races


def contents(home):
    names = {"oci-layout", "index.json", "lock", "collection.lock", "blobs"}
    return names, set(os.listdir(home.content)), os.listdir(f"{home.snapshots}/layers")


def test_a_kill_at_any_moment_leaves_nothing_that_looks_complete(home, tmp_path):
    """The child is killed in the middle of a layer, at several places; the next pull finishes and cleans up."""
    big = layer(*(entry(f"f{index}", content=os.urandom(2000)) for index in range(200)))
    reference = docker_archive(tmp_path / "image.tar", [LOW, big, HIGH])
    for files in (0, 1, 50, 199):
        reader, writer = os.pipe()
        child = fork()
        if child == 0:
            _die_after(files, writer)
            ImageStore(home).pull(ImageSpec(reference))
            os._exit(0)
        os.close(writer)
        with open(reader, "rb") as pipe:
            assert pipe.read() == b"here"
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        fresh = ImageStore(home)
        assert fresh.observe([ImageSpec(reference)]) == {}
        assert len([name for name in os.listdir(f"{home.snapshots}/layers") if name.endswith(".new")]) == 1
    check(ImageStore(home), reference)
    expected, found, layers = contents(home)
    assert found == expected
    assert len(layers) == 3
    assert not [name for name in layers if name.endswith(".new")]


def _die_after(files: int, writer: int) -> None:
    """Kill this process when it writes that many files of the big layer."""
    from orchestra.driver.local.image.layers import unpack

    original = unpack._Layer._make

    def make(self, tar, info, parent, name, path):
        if name == f"f{files}":
            os.write(writer, b"here")
            os.kill(os.getpid(), signal.SIGKILL)
        original(self, tar, info, parent, name, path)

    unpack._Layer._make = make


def _pull(data, run, reference, barrier, results):
    barrier.wait()
    store = ImageStore(Home(data, run))
    image = store.pull(ImageSpec(reference))
    results.put((image.digest, store.resolve(image.digest).layers))


def test_processes_pulling_the_same_at_once_all_succeed(home, tmp_path):
    big = layer(*(entry(f"f{index}", content=b"x" * 500) for index in range(300)))
    reference = docker_archive(tmp_path / "image.tar", [LOW, big, HIGH])
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(4), context.SimpleQueue()
    children = [context.Process(target=_pull, args=(*home, reference, barrier, results)) for _ in range(4)]
    for child in children:
        child.start()
    found = [results.get() for _ in children]
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert len(set(found)) == 1
    expected, there, layers = contents(home)
    assert there == expected
    assert len(layers) == 3
    check(ImageStore(home), reference)


def test_threads_pulling_different_images_at_once_keep_each_others_entries(store, tmp_path):
    references = [docker_archive(tmp_path / f"{i}.tar", [LOW, layer(entry(f"only-{i}"))]) for i in range(8)]
    errors = []

    def pull(reference):
        try:
            store.pull(ImageSpec(reference))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=pull, args=(reference,)) for reference in references]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.observe(map(ImageSpec, references)).keys() == set(references)


def test_the_content_store_is_a_layout_that_can_be_pulled_from(store, home, tmp_path):
    reference = docker_archive(tmp_path / "image.tar", [LOW, HIGH])
    image = check(store, reference)
    again = check(ImageStore(Home(f"{tmp_path}/2/data", f"{tmp_path}/2/run")), f"oci:{home.content}")
    assert again.digest == image.digest


def test_a_blob_the_disk_has_shortened_is_written_again(home, tmp_path):
    content = ContentStore(home.content)
    found = content.add_document(b"{}")
    Path(content.path(found)).write_bytes(b"{")
    assert content.add_document(b"{}") == found
    assert content.read(found) == b"{}"


def test_a_blob_the_disk_has_changed_is_noticed(home):
    content = ContentStore(home.content)
    found = content.add_document(b"{}")
    Path(content.path(found)).write_bytes(b"[]")
    with pytest.raises(FatalError, match="damaged"):
        content.read(found)


def test_an_index_that_was_damaged_is_named(home, store, tmp_path):
    content = ContentStore(home.content)
    content.put_entry(Stored("oci:/x", digest(b""), digest(b""), 0, "linux/amd64"))
    Path(home.content, "index.json").write_bytes(b"{")
    with pytest.raises(FatalError, match=r"index\.json is not JSON") as caught:
        store.pull(ImageSpec(docker_archive(tmp_path / "image.tar", [HIGH])))
    assert "remove that file" in caught.value.hint


# Platforms, and when an image was compared last


def test_an_image_for_another_platform_is_another_image(store, tmp_path):
    made = Made()
    own, foreign = made.image([LOW]), made.image([LOW, HIGH], architecture="riscv64")
    own["platform"] = {"os": "linux", "architecture": ARCHITECTURE}
    foreign["platform"] = {"os": "linux", "architecture": "riscv64"}
    reference = made.name(made.index(own, foreign)).write(tmp_path / "image")
    here, there = ImageSpec(reference), ImageSpec(reference, platform="linux/riscv64")
    assert (here.key, there.key) == (reference, f"{reference} (linux/riscv64)")
    image = store.pull(here)
    assert store.observe([here, there]) == {here.key: image}
    same = ImageSpec(reference, platform=f"linux/{ARCHITECTURE}")
    assert store.observe([same])[same.key].digest == image.digest, "what the machine is, said aloud"
    other = store.pull(there)
    assert other.digest != image.digest
    assert store.observe([here, there]) == {there.key: other}, "a name has one platform at a time"
    assert store.resolve(image.digest).digest == image.digest, "who was made from it still is"


def test_when_it_was_compared_is_remembered_by_policies_that_ask(store, home, tmp_path):
    reference = docker_archive(tmp_path / "image.tar", [LOW])
    pulled = [store.pull(ImageSpec(reference, pull_policy=policy)) for policy in ("missing", "missing", "daily")]
    assert pulled[0] == pulled[1]
    assert pulled[1].pulled_at < pulled[2].pulled_at
    assert ImageStore(home).observe([ImageSpec(reference)]) == {reference: pulled[2]}
