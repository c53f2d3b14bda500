"""Containers of a user without root that have users of their own: ``userns_mode``."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.driver.local.image.making import OCI, Made, directory, entry, hard_link, layer, link
from tests.driver.local.image.registry.faulty import Registry, serving
from tests.plain import BEYOND
from tests.shim.conftest import eventually

pytestmark = pytest.mark.timeout(600)

KEPT = """
services:
  kept:
    image: rootfs:../tree
    userns_mode: keep-id
    command: sh -c "id; touch /host/mine /data/mine; exec sleep 1000"
    volumes: ["../host:/host", "data:/data"]
  named:
    image: rootfs:../tree
    userns_mode: keep-id:uid=1000,gid=1000
    user: root
    command: |
      sh -c "id; stat -c '%u %g %n' /bin/busybox /host /etc/hosts /run/secrets/word
      touch /host/roots; exec sleep 1000"
    volumes: ["../host:/host"]
    secrets: [{source: word, uid: "5", gid: "6", mode: 0400}]
  own:
    image: rootfs:../tree
    userns_mode: auto
    command: sh -c "id; stat -c '%u %g %n' /bin/busybox; touch /new; exec sleep 1000"
    volumes: ["../host:/host:ro"]
    tmpfs: [/scratch]
  plain:
    image: rootfs:../tree
    command: sleep 1000
volumes: {data: {}}
secrets: {word: {file: ../tree/etc/passwd}}
"""


@pytest.fixture
def kept(make_plain):
    plain = make_plain()
    (plain.path / "host").mkdir()
    os.chown(plain.path / "host", plain.uid, plain.uid)
    plain.write(KEPT)
    plain.orchestra("up", "-d")
    yield plain
    plain.orchestra("down", "-v")
    eventually(lambda: not plain.processes(), 60)


def test_the_user_is_kept_and_owns_what_is_written_to_the_host(kept):
    def said(service):
        return eventually(lambda: (text := kept.orchestra("logs", "--no-log-prefix", service).stdout) and text)

    assert said("kept").startswith(f"uid={kept.uid} gid={kept.uid}")
    host = kept.path / "host"
    eventually((host / "roots").exists)
    assert os.stat(host / "mine").st_uid == kept.uid
    assert os.stat(f"{kept.home.volumes}/stack_data/_data/mine").st_uid == kept.uid
    assert said("named").splitlines() == [
        "uid=0(root) gid=0 groups=0", "0 0 /bin/busybox", "1000 1000 /host", "0 0 /etc/hosts", "5 6 /run/secrets/word",
    ]  # fmt: skip
    assert os.stat(host / "roots").st_uid == BEYOND
    assert said("own").splitlines() == ["uid=0(root) gid=0 groups=0", "0 0 /bin/busybox"]
    first = owner_of_init(kept, "own")
    assert BEYOND <= first < BEYOND + 65536
    check_that_programs_and_copies_have_the_containers_owners(kept)
    kept.orchestra("restart", "own")
    assert owner_of_init(kept, "own") == first
    assert kept.orchestra("plan").stdout.strip() == "nothing to do"


def owner_of_init(plain, service):
    """Of the first process of the container, as the machine knows it."""
    state = json.loads(Path(f"{plain.home.stack('stack').container(f'stack-{service}-1')}/state.json").read_text())
    return os.stat(f"/proc/{state['pid']}").st_uid


def check_that_programs_and_copies_have_the_containers_owners(plain):
    assert plain.orchestra("exec", "kept", "id", "-u").stdout == f"{plain.uid}\n"
    assert plain.orchestra("exec", "-u", "1000", "named", "id", "-u").stdout == "1000\n"
    (plain.path / "stack/given").write_text("text")
    os.chown(plain.path / "stack/given", plain.uid, plain.uid)
    for service in ("named", "own"):
        plain.orchestra("cp", "given", f"{service}:/tmp/given")
        assert plain.orchestra("exec", service, "stat", "-c", "%u %g", "/tmp/given").stdout == "0 0\n"
        plain.orchestra("exec", service, "chown", "7:8", "/tmp/given")
        archive = plain.path / "stack" / f"{service}.tar"
        plain.orchestra("export", "-o", str(archive), service)
        with tarfile.open(archive) as tar:
            assert [(each.uid, each.gid) for each in tar if each.name == "tmp/given"] == [(7, 8)]


def test_the_files_of_an_image_and_its_volumes_have_the_owners_that_it_gave_them(make_plain):
    plain, made = make_plain(), Made()
    busybox = Path(shutil.which("busybox")).read_bytes()
    below = [directory("bin"), entry("bin/sh", content=busybox, mode=0o4755), link("bin/stat", "sh"), directory("data")]
    below += [entry("gone"), directory("dir"), entry("dir/hidden"), entry("data/one", uid=33, gid=34)]
    above = [
        entry(".wh.gone"),
        directory("dir"),
        entry("dir/.wh..wh..opq"),
        entry("dir/shown"),
        hard_link("data/two", "data/one"),
    ]
    layers = [layer(*below), layer(entry("data/one", uid=33, gid=34), *above)]
    script = "stat -c '%u %g %a %h %n' /bin/sh /data/one /data/two /gone /dir/*; exec sleep 1000"
    with serving(Registry()) as registry:
        config = {"Cmd": ["sh", "-c", script], "Volumes": {"/vol": {}}}
        reference = registry.put(made, made.image(layers, config=config, layer_type=f"{OCI}.layer.v1.tar"))
        plain.write(f"services:\n  one:\n    image: {reference}\n    userns_mode: keep-id\n    user: '0'\n")
        plain.orchestra("up", "-d")
    said = eventually(
        lambda: text if (text := plain.orchestra("logs", "--no-log-prefix", "one").stdout).count("\n") > 4 else ""
    )
    shown = [line for line in said.splitlines() if not line.startswith("stat:")]  # of the other stream
    assert shown[:4] == [
        "0 0 4755 1 /bin/sh",
        "33 34 644 2 /data/one",
        "33 34 644 2 /data/two",
        "0 0 644 1 /dir/shown",
    ]
    assert "can't stat '/gone'" in said
    plain.orchestra("commit", "one", "again:1")
    plain.orchestra("down", "-v")


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("userns_mode: auto\n    volumes: ['../host:/host']", "no user of the container owns /host"),
        ("userns_mode: auto:size=100000", "no 100000 ids are left for it"),
    ],
)
def test_what_the_kernel_does_not_permit_is_refused_at_its_place(make_plain, text, refusal):
    plain = make_plain()
    plain.write(f"services:\n  one:\n    image: rootfs:../tree\n    {text}\n    command: sleep 1\n")
    said = plain.orchestra("up", "-d", code=1).stderr
    assert "compose.yaml:2:3: " in said
    assert "userns_mode auto: " in said
    assert refusal in said
    plain.orchestra("down", "-v")


def test_without_subordinate_ids_no_container_has_users_of_its_own(make_plain):
    plain = make_plain(ids=False)
    plain.write("services:\n  one:\n    image: rootfs:../tree\n    userns_mode: keep-id\n    command: sleep 1\n")
    assert "this user has no subordinate ids" in plain.orchestra("up", "-d", code=1).stderr
    plain.orchestra("down")
