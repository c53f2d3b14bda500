"""``image save``, ``load`` and ``import``: others read what we write and we what they do, with the same digests."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import os
import pty
import shutil
import subprocess
import sys
import tarfile

import pytest

from orchestra.driver.local.image.layers.lookup import read_file
from orchestra.driver.local.image.library import Library
from orchestra.driver.local.image.naming.name import DEFAULT_HOST
from orchestra.home import Home
from tests.driver.local.image.making import (
    ARCHITECTURE,
    Made,
    archive,
    compressed,
    digest,
    docker_archive,
    entry,
    layer,
    needs_root,
    render_config,
)
from tests.oci_cli.conftest import ONE_VERSION

SKOPEO = shutil.which("skopeo")
PODMAN = shutil.which("podman")

pytestmark = needs_root
needs_skopeo = pytest.mark.skipif(not SKOPEO, reason="needs skopeo (Debian: skopeo)")
needs_podman = pytest.mark.skipif(not PODMAN, reason="needs podman (Debian: podman)")

NAME = layer(entry("etc/name", content=b"this one"))
OTHER = layer(entry("etc/name", content=b"another"))


@pytest.fixture
def library(home):
    return Library(home)


@pytest.fixture
def elsewhere(tmp_path):
    """The command line with another home, in a process of its own."""

    def run(*arguments: str, data: bytes | None = None) -> str:
        command = [sys.executable, "-m", "orchestra", *arguments]
        environment = os.environ | {"ORCHESTRA_HOME": f"{tmp_path}/other"}
        done = subprocess.run(command, env=environment, input=data, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return run


def there(tmp_path) -> Library:
    return Library(Home(f"{tmp_path}/other/data", f"{tmp_path}/other/run"))


def name_in(library, text):
    return read_file(library.store.resolve(library.find(text).entry.digest).layers, "/etc/name")


def skopeo(*arguments: str) -> str:
    return subprocess.check_output([SKOPEO, "--insecure-policy", *arguments], text=True)


def manifest_of(path) -> dict:
    """Of the only image of a layout."""
    index = json.loads((path / "index.json").read_text())
    return json.loads((path / "blobs" / index["manifests"][0]["digest"].replace(":", "/")).read_text())


def test_what_is_saved_is_loaded_with_the_same_digests(library, orchestra, put, elsewhere, tmp_path):
    put("app:1")
    orchestra("image", "tag", "app:1", "registry.test/app:2")
    put("other:1", OTHER)
    nameless = put("", NAME, "-c", "CMD run")
    names = ["app:1", "registry.test/app:2", "other:1", nameless]
    assert orchestra("image", "save", "-o", f"{tmp_path}/out.tar", *names) == (0, "", "")
    assert set(elsewhere("image", "load", "-i", f"{tmp_path}/out.tar").splitlines()) == {
        f"Loaded image: {DEFAULT_HOST}/library/app:1",
        "Loaded image: registry.test/app:2",
        f"Loaded image: {DEFAULT_HOST}/library/other:1",
        f"Loaded image ID: {nameless}",
    }
    other = there(tmp_path)
    for name in names:
        assert other.find(name).entry.digest == library.find(name).entry.digest
    assert name_in(other, "app:1") == b"this one"
    assert name_in(other, "other:1") == b"another"


def test_an_archive_goes_through_pipes_compressed_or_not(library, orchestra, put, elsewhere, tmp_path):
    put("app:1")
    command = [sys.executable, "-m", "orchestra", "image", "save", "app:1"]
    data = subprocess.check_output(command, env=os.environ)
    orchestra("image", "save", "-o", f"{tmp_path}/out.tar", "app:1")
    assert data == (tmp_path / "out.tar").read_bytes()
    for text in (data, gzip.compress(data), lzma.compress(data)):
        assert elsewhere("image", "load", data=text) == f"Loaded image: {DEFAULT_HOST}/library/app:1\n"
    assert elsewhere("image", "load", "-q", data=data) == ""
    assert there(tmp_path).find("app:1").entry.digest == library.find("app:1").entry.digest


def test_an_archive_by_id_has_no_names(orchestra, put, tmp_path):
    image_id = put("app:1")
    orchestra("image", "save", "-o", f"{tmp_path}/out.tar", image_id[7:19])
    with tarfile.open(tmp_path / "out.tar") as tar:
        (row,) = json.load(tar.extractfile("manifest.json"))
        (descriptor,) = json.load(tar.extractfile("index.json"))["manifests"]
        assert tar.extractfile(row["Config"]).read().startswith(b"{")
    assert row["RepoTags"] is None
    assert "annotations" not in descriptor
    assert descriptor["platform"]["architecture"] == ARCHITECTURE


def test_nothing_is_left_of_an_archive_that_cannot_be_written(orchestra, put, tmp_path):
    put("app:1")
    folder = tmp_path / "out"
    folder.mkdir()
    code, _, err = orchestra("image", "save", "-o", f"{folder}/out.tar", "app:1", "nothing:1")
    assert (code, os.listdir(folder)) == (1, [])
    assert "no such image: nothing:1" in err
    assert orchestra("image", "save", "-o", f"{folder}/no/out.tar", "app:1")[0] == 1
    assert orchestra("image", "save", "-o", "/dev/full", "app:1")[0] == 1


def test_an_archive_is_neither_written_to_nor_read_from_a_terminal(home, put, tmp_path):
    put("app:1")
    master, slave = pty.openpty()
    for words in (["save", "app:1"], ["load"], ["import", "-"]):
        command = [sys.executable, "-m", "orchestra", "image", *words]
        done = subprocess.run(command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 1
        assert "terminal" in done.stderr
    os.close(master)
    os.close(slave)


@needs_skopeo
def test_skopeo_reads_what_we_save_in_both_ways(library, orchestra, put, tmp_path):
    image_id = put("app:1")
    orchestra("image", "save", "-o", f"{tmp_path}/out.tar", "app:1")
    skopeo("copy", "-q", f"oci-archive:{tmp_path}/out.tar:1", f"oci:{tmp_path}/layout:x")
    index = json.loads((tmp_path / "layout/index.json").read_text())
    assert index["manifests"][0]["digest"] == library.find("app:1").entry.digest
    # For another format of configurations than Docker's it would have to be converted.
    skopeo("copy", "-q", "--format=v2s2", f"docker-archive:{tmp_path}/out.tar:app:1", f"dir:{tmp_path}/docker")
    manifest = json.loads((tmp_path / "docker/manifest.json").read_text())
    assert manifest["config"]["digest"] == image_id
    assert manifest["layers"][0]["digest"] == library.find("app:1").parts.diff_ids[0]
    seen = json.loads(skopeo("inspect", f"docker-archive:{tmp_path}/out.tar"))
    assert seen["Layers"] == list(library.find("app:1").parts.diff_ids)


@needs_skopeo
@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
def test_we_load_what_skopeo_writes(transport, library, orchestra, tmp_path):
    made = Made()
    made.name(made.image([NAME, OTHER], compress=compressed, config={"Cmd": ["run"]}), "x").write(tmp_path / "layout")
    config = manifest_of(tmp_path / "layout")["config"]["digest"]
    skopeo("copy", "-q", f"oci:{tmp_path}/layout:x", f"{transport}:{tmp_path}/out.tar:team/app:3")
    code, out, err = orchestra("image", "load", "-i", f"{tmp_path}/out.tar")
    assert (code, out) == (0, f"Loaded image: {DEFAULT_HOST}/team/app:3\n"), err
    assert library.find("team/app:3").id == config
    assert name_in(library, "team/app:3") == b"another"
    if transport == "oci-archive":
        index = json.loads((tmp_path / "layout/index.json").read_text())
        assert library.find("team/app:3").entry.digest == index["manifests"][0]["digest"]


@needs_skopeo
def test_a_docker_manifest_goes_round_unchanged(library, orchestra, elsewhere, tmp_path):
    made = Made()
    docker = "application/vnd.docker"
    reference = made.name(made.image([NAME], family=docker, compress=compressed), "x").write(tmp_path / "layout")
    assert orchestra("image", "pull", f"{reference}:x")[0] == 0
    orchestra("image", "tag", f"{reference}:x", "app:1")
    orchestra("image", "save", "-o", f"{tmp_path}/out.tar", "app:1")
    elsewhere("image", "load", "-i", f"{tmp_path}/out.tar")
    came, went = there(tmp_path).find("app:1"), library.find("app:1")
    assert (came.entry.digest, came.entry.media_type) == (went.entry.digest, went.entry.media_type)
    assert went.entry.media_type == f"{docker}.distribution.manifest.v2+json"
    skopeo("copy", "-q", "--format=v2s2", f"docker-archive:{tmp_path}/out.tar", f"dir:{tmp_path}/docker")
    assert json.loads((tmp_path / "docker/manifest.json").read_text())["config"]["digest"] == went.id


@needs_podman
def test_podman_loads_and_runs_what_we_save(orchestra, put, tmp_path):
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("needs busybox (Debian: busybox-static)")
    with open(busybox, "rb") as file:
        image_id = put("app:1", layer(entry("busybox", content=file.read(), mode=0o755)))
    orchestra("image", "save", "-o", f"{tmp_path}/out.tar", "app:1")
    # podman takes no long path for --runroot, and leaves files in each of these.
    hide = [f"mount -t tmpfs none {path}" for path in ("/run", "/dev/shm", "/var/lib")]
    private = [*ONE_VERSION[:-1], f"{'; '.join(hide)}; {ONE_VERSION[-1]}"]
    storage = ("--root", f"{tmp_path}/podman", "--runroot", "/run/podman", "--storage-driver", "vfs")

    def podman(*words: str) -> str:
        return subprocess.check_output([*private, PODMAN, *storage, *words], stdin=subprocess.DEVNULL, text=True)

    podman("load", "-q", "-i", f"{tmp_path}/out.tar")
    assert podman("images", "-q", "--no-trunc").strip() == image_id
    # Podman's own limits may be above what this machine permits.
    alone = ("--net=none", "--cgroups=disabled", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
    assert podman("run", "--rm", *alone, image_id[7:], "/busybox", "echo", "well") == "well\n"
    for format in ("docker-archive", "oci-archive"):
        podman("save", "-q", "--format", format, "-o", f"{tmp_path}/{format}", "app:1")
        assert (
            f"Loaded image: {DEFAULT_HOST}/library/app:1" in orchestra("image", "load", "-i", f"{tmp_path}/{format}")[1]
        )


def test_no_output_is_opened_for_an_image_that_is_not_there(home, orchestra, tmp_path):
    os.mkfifo(tmp_path / "fifo")  # to open it would wait for a reader
    code, _, err = orchestra("image", "save", "-o", f"{tmp_path}/fifo", "nothing:1")
    assert code == 1
    assert "nothing:1" in err


@pytest.mark.parametrize("modern", [False, True])
def test_archives_of_docker_with_several_images_and_names(modern, library, orchestra, tmp_path):
    one, two = tmp_path / "one.tar", tmp_path / "two.tar"
    docker_archive(one, [NAME], names=("app:1", "registry.test:5000/app:1"), modern=modern)
    docker_archive(two, [OTHER], names=("other:1",), modern=modern)
    files, rows = {}, []
    for path in (one, two):
        with tarfile.open(path) as tar:
            found = {member.name: tar.extractfile(member).read() for member in tar}
        rows += json.loads(found.pop("manifest.json"))
        files |= found
    (tmp_path / "both.tar").write_bytes(archive({**files, "manifest.json": json.dumps(rows).encode()}))
    code, out, err = orchestra("image", "load", "-i", f"{tmp_path}/both.tar")
    assert (code, out.count("Loaded image: ")) == (0, 3), err
    assert library.find("app:1").id == library.find("registry.test:5000/app:1").id
    assert (name_in(library, "app:1"), name_in(library, "other:1")) == (b"this one", b"another")


def test_an_image_for_several_platforms_with_words_on_how_it_was_made(library, orchestra, tmp_path):
    """As Docker writes it since 25, with the attestations of BuildKit."""
    made = Made()
    mine = made.image([NAME], compress=compressed)
    foreign = made.image([OTHER], compress=compressed, architecture="s390x")
    words = made.blob(b"{}", "application/vnd.oci.image.manifest.v1+json")
    rows = [
        {**foreign, "platform": {"os": "linux", "architecture": "s390x"}},
        {**mine, "platform": {"os": "linux", "architecture": ARCHITECTURE}},
        {
            **words,
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
        },
    ]
    whole = {"io.containerd.image.name": f"{DEFAULT_HOST}/library/app:1", "org.opencontainers.image.ref.name": "1"}
    top = made.index(*rows)
    made.files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [{**top, "annotations": whole}]}).encode()
    (tmp_path / "a.tar").write_bytes(archive(made.files))
    assert orchestra("image", "load", "-i", f"{tmp_path}/a.tar")[1] == f"Loaded image: {DEFAULT_HOST}/library/app:1\n"
    assert name_in(library, "app:1") == b"this one"
    assert orchestra("image", "load", "--platform", "linux/s390x", "-i", f"{tmp_path}/a.tar")[0] == 0
    assert name_in(library, "app:1") == b"another"
    code, _, err = orchestra("image", "load", "--platform", "linux/arm/v6", "-i", f"{tmp_path}/a.tar")
    assert code == 1
    assert "is not for linux/arm/v6" in err


def test_files_that_are_no_archives_of_images(home, orchestra, tmp_path):
    (tmp_path / "rootfs.tar").write_bytes(NAME)
    (tmp_path / "text").write_text("not an archive, whatever its length may be" * 100)
    for path, words in (
        ("rootfs.tar", "contains no image: it has neither index.json nor manifest.json"),
        ("text", "damaged"),
        ("nothing", "does not exist"),
        ("", "is not a file"),
    ):
        code, out, err = orchestra("image", "load", "-i", f"{tmp_path}/{path}")
        assert (code, out) == (1, "")
        assert words in err
    assert orchestra("image", "ls", "-aq")[1] == ""
    command = [sys.executable, "-m", "orchestra", "image", "load"]
    done = subprocess.run(command, input=NAME, capture_output=True, check=False)
    assert (done.returncode, done.stderr[:31]) == (1, b"error: standard input contains ")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_root_file_system_becomes_an_image(pack, library, orchestra, put, tmp_path):
    image_id = put("base:1", pack(NAME))
    item = library.find("base:1")
    assert item.id == image_id
    assert item.parts.diff_ids == (digest(NAME),)
    assert name_in(library, "base:1") == b"this one"
    with library.content.open(item.parts.blobs[0]) as file:
        assert gzip.decompress(file.read()) == NAME


def test_a_root_file_system_from_standard_input(home, orchestra, tmp_path):
    command = [sys.executable, "-m", "orchestra", "image", "import", "-", "base:1"]
    done = subprocess.run(command, input=NAME, capture_output=True, text=False, check=True)
    assert orchestra("image", "ls", "-q", "--no-trunc")[1] == done.stdout.decode()
    assert orchestra("image", "history", "--format", "{{.Comment}}", "base:1")[1] == "Imported from standard input\n"


def test_what_is_no_root_file_system_leaves_nothing_with_a_name(home, orchestra, tmp_path):
    whole = gzip.compress(os.urandom(10_000))
    for content in (b"not an archive" * 1000, whole[:5000], lzma.compress(NAME)[:50]):
        (tmp_path / "bad").write_bytes(content)
        code, out, err = orchestra("image", "import", f"{tmp_path}/bad", "bad:1")
        assert (code, out) == (1, "")
        assert "damaged" in err
    assert orchestra("image", "import", f"{tmp_path}/nothing", "bad:1")[0] == 1
    assert orchestra("image", "import", f"{tmp_path}/bad", f"bad@sha256:{'0' * 64}")[0] == 1
    assert orchestra("image", "import", "-c", "RUN ls", f"{tmp_path}/bad")[0] == 1
    assert orchestra("image", "ls")[1].count("\n") == 1


def test_history_tells_which_steps_have_a_layer(orchestra, home, tmp_path):
    config = json.loads(render_config([NAME]))
    config["history"] = [
        {"created": "2020-01-01T00:00:00.123456789Z", "created_by": "COPY  name\t/etc " + "x" * 60},
        {"created": "2021-01-01T00:00:00Z", "created_by": "CMD run", "empty_layer": True, "comment": "done"},
    ]
    data = json.dumps(config).encode()
    rows = [{"Config": "config.json", "RepoTags": ["app:1"], "Layers": ["layer.tar"]}]
    files = {"config.json": data, "layer.tar": NAME, "manifest.json": json.dumps(rows).encode()}
    (tmp_path / "a.tar").write_bytes(archive(files))
    orchestra("image", "load", "-i", f"{tmp_path}/a.tar")
    seen = [json.loads(row) for row in orchestra("image", "history", "--format", "json", "app:1")[1].splitlines()]
    image_id = hashlib.sha256(data).hexdigest()
    assert [row["ID"] for row in seen] == [image_id[:12], "<missing>"]
    assert [row["Size"] for row in seen] == ["0B", "10.2kB"]
    assert seen[0]["Comment"] == "done"
    assert seen[1]["CreatedBy"] == "COPY name /etc " + "x" * 29 + "…"
    assert orchestra("image", "history", "--no-trunc", "app:1")[1].splitlines()[1].startswith("sha256:")
