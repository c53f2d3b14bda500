"""With the registry that everybody runs, plain and with TLS and a password, and with skopeo at the other end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from orchestra.driver.local.image.content.check import check_store
from orchestra.driver.local.image.layers.lookup import read_file
from orchestra.driver.local.image.library import Library
from orchestra.driver.local.image.naming.name import DEFAULT_HOST
from orchestra.driver.local.image.registry import Access
from orchestra.driver.local.image.store import ImageStore
from orchestra.errors import FatalError
from orchestra.home import Home
from orchestra.model.desired import ImageSpec
from tests.driver.local.image.making import Made, compressed, digest, directory, entry, layer, link, needs_root

from .real import OPENSSL, REGISTRY, log_in, running, running_closed

SKOPEO = shutil.which("skopeo")

pytestmark = [*needs_root, pytest.mark.skipif(not REGISTRY, reason="needs docker-registry (Debian: docker-registry)")]
needs_skopeo = pytest.mark.skipif(not SKOPEO, reason="needs skopeo (Debian: skopeo)")

NAME = layer(entry("etc/name", content=b"this one"))


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with running(tmp_path_factory.mktemp("plain")) as host:
        yield host


@pytest.fixture
def home(tmp_path):
    return Home(f"{tmp_path}/home/data", f"{tmp_path}/home/run")


@pytest.fixture
def access(tmp_path):
    return Access({"HOME": str(tmp_path), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)})


@pytest.fixture
def library(home, access):
    return Library(home, access)


def name_in(store, image):
    return read_file(store.resolve(image.digest).layers, "/etc/name")


def put_in(library, tmp_path, target, *layers):
    """An image of these layers, by another name."""
    made = Made()
    reference = made.name(made.image(layers or [NAME], compress=compressed, config={"Cmd": ["run"]})).write(
        tmp_path / target.replace("/", "_").replace(":", "_")
    )
    image = library.store.pull(ImageSpec(reference))
    library.tag(reference, target)
    return image


def elsewhere(tmp_path, access):
    return ImageStore(Home(f"{tmp_path}/other/data", f"{tmp_path}/other/run"), access)


def test_what_is_pushed_comes_back_with_the_same_digest(host, library, tmp_path, access):
    target = f"{host}/team/app:1"
    image = put_in(library, tmp_path, target)
    pushed = library.push(target)
    assert (pushed.digest, pushed.sent, pushed.there) == (image.digest, 2, 0)
    assert library.push(target)[1:] == (2, 0, 0)
    other = elsewhere(tmp_path, access)
    pulled = other.pull(ImageSpec(target))
    assert pulled.digest == image.digest
    assert name_in(other, pulled) == b"this one"
    assert other.pull(ImageSpec(f"{host}/team/app@{image.digest}")).digest == image.digest
    assert not check_store(Home(f"{tmp_path}/other/data", f"{tmp_path}/other/run")).damaged


def test_blobs_of_other_repositories_are_mounted(host, library, tmp_path):
    one, two = f"{host}/mount/one:1", f"{host}/mount/two:1"
    put_in(library, tmp_path, one)
    library.push(one)
    library.tag(one, two)
    assert library.push(two)[1:] == (0, 2, 0)


def test_a_missing_tag_is_reported(host, library):
    with pytest.raises(FatalError, match="has no such image"):
        library.store.pull(ImageSpec(f"{host}/team/nothing:1"))


@needs_skopeo
def test_skopeo_reads_what_we_push_and_we_read_what_it_pushes(host, library, home, tmp_path, access):
    target = f"{host}/skopeo/app:1"
    image = put_in(library, tmp_path, target)
    library.push(target)
    skopeo = [SKOPEO, "--insecure-policy"]
    seen = json.loads(subprocess.check_output([*skopeo, "inspect", "--tls-verify=false", f"docker://{target}"]))
    assert seen["Digest"] == image.digest
    for format in ("oci", "v2s2"):
        copy = f"{host}/skopeo/{format}:1"
        command = [*skopeo, "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", f"--format={format}"]
        subprocess.run([*command, f"docker://{target}", f"docker://{copy}"], check=True)
        store = elsewhere(tmp_path, access)
        assert name_in(store, store.pull(ImageSpec(copy))) == b"this one"
    subprocess.run([*skopeo, "copy", "-q", f"oci:{home.content}:{target}", f"oci:{tmp_path}/out:x"], check=True)
    index = json.loads((tmp_path / "out/index.json").read_text())
    assert index["manifests"][0]["digest"] == image.digest


@pytest.mark.skipif(not OPENSSL, reason="needs openssl")
def test_tls_and_a_password(library, tmp_path, access):
    with running_closed(tmp_path / "registry") as host:
        target = f"{host}/closed/app:1"
        put_in(library, tmp_path, target)
        with pytest.raises(FatalError, match="requires a login"):
            library.push(target)
        log_in(tmp_path, host)
        library.push(target)
        store = elsewhere(tmp_path, access)
        assert name_in(store, store.pull(ImageSpec(target))) == b"this one"


def test_a_real_userland_runs_the_way_round(host, library, tmp_path, access):
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("needs busybox (Debian: busybox-static)")
    with open(busybox, "rb") as file:
        program = entry("bin/busybox", content=file.read(), mode=0o755)
    target = f"{host}/userland:1"
    put_in(library, tmp_path, target, layer(directory("bin"), program, link("bin/sh", "busybox")), NAME)
    library.push(target)
    store = elsewhere(tmp_path, access)
    layers = store.resolve(store.pull(ImageSpec(target)).digest).layers
    said = subprocess.check_output([f"{layers[-1]}/bin/busybox", "echo", "alive"])
    assert said == b"alive\n"


def test_collecting_removes_only_unused_content(library, home, tmp_path):
    kept = put_in(library, tmp_path, "kept:1")
    other = layer(entry("etc/name", content=b"other"))
    put_in(library, tmp_path, "gone:1", other)
    for item in library.items():
        if item.name is None:
            library.remove(item.entry.reference)
    assert library.prune().collected.blobs == 0
    library.content.remove_entry(f"{DEFAULT_HOST}/library/gone:1")  # as a tag that moves leaves an image behind
    collected = library.prune().collected
    assert (collected.blobs, collected.layers) == (3, 1)
    assert library.content.size(digest(compressed(other))) == -1
    assert name_in(library.store, kept) == b"this one"
    report = check_store(home)
    assert report.is_sound
    assert not report.not_unpacked


def test_an_image_that_a_container_of_any_stack_needs_stays(library, home, tmp_path):
    image = put_in(library, tmp_path, "used:1")
    folder = home.stack("any").container("any-web-1")
    os.makedirs(folder)
    with open(f"{folder}/container.json", "w") as file:
        json.dump({"container": {"image_digest": image.digest}}, file)
    for item in library.items():
        library.remove(item.entry.reference, force=True)
    assert library.items() == []
    assert library.prune(everything=True).collected.blobs == 0
    assert name_in(library.store, image) == b"this one"
    os.unlink(f"{folder}/container.json")
    assert library.prune().collected[:2] == (3, 1)


def test_names_and_ids(library, tmp_path):
    put_in(library, tmp_path, "app:1")
    assert library.find("app:1").id == library.find(library.find("app:1").id[7:19]).id
    assert library.details(library.find("app:1"))["Config"] == {"Cmd": ["run"]}
    assert [row["size"] for row in library.history(library.find("app:1"))] == [len(compressed(NAME))]


def test_damage_is_found_and_repaired(host, library, home, tmp_path, access):
    target = f"{host}/mended:1"
    image = put_in(library, tmp_path, target)
    library.push(target)
    path = library.content.path(digest(compressed(NAME)))
    with open(path, "r+b") as file:
        file.write(b"?")
    assert check_store(home, repair=True).damaged == [digest(compressed(NAME))]
    assert target in check_store(home).incomplete
    shutil.rmtree(f"{home.snapshots}/layers")
    fresh = ImageStore(home, access)
    assert fresh.pull(ImageSpec(target)).digest == image.digest
    assert check_store(home).is_sound
