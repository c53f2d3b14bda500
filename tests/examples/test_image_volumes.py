"""Volumes of type ``image``: the file system of an image, read-only in a container."""

from __future__ import annotations

import pytest

from tests.driver.local.image.making import Made, directory, entry, layer, link
from tests.examples.images import needs_busybox

pytestmark = needs_busybox

LOWER = layer(
    directory("data"),
    entry("data/old", content=b"old"),
    entry("data/kept", content=b"kept"),
    directory("a,b"),
    entry("a,b/x"),
)


def write_image(path, new: bytes = b"new") -> str:
    upper = layer(
        directory("data"),
        entry("data/.wh.old"),
        entry("data/new", content=new),
        link("way", "data"),
        directory("only"),
        entry("only/here"),
    )
    made = Made()
    return made.name(made.image([LOWER, upper])).write(path)


FILE = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "%s"]
    stop_signal: SIGKILL
    volumes:
      - {type: image, source: "%s", target: /mnt%s}
"""


@pytest.mark.parametrize(
    ("subpath", "command", "shown"),
    [
        ("", "cd /mnt; ls; cat data/new; ls data", "a,b\ndata\nonly\nway\nnewkept\nnew\n"),
        ("data", "ls /mnt; cat /mnt/kept", "kept\nnew\nkept"),
        ("way", "ls /mnt", "kept\nnew\n"),
        ("only", "ls /mnt", "here\n"),
        ("data/new", "cat /mnt", "new"),
        ("a,b", "ls /mnt", "x\n"),
        ("data", "echo > /mnt/more || echo read-only", "read-only\n"),
        ("", "echo > /mnt/more || echo read-only", "read-only\n"),
    ],
)
def test_what_a_container_sees(subpath, command, shown, write_stack, tmp_path):
    more = f', image: {{subpath: "{subpath}"}}' if subpath else ""
    stack = write_stack(FILE % (command, write_image(tmp_path / "image"), more))
    result = stack.run("up", "--no-color", "--no-log-prefix")
    lines = result.stdout.split("\n")
    wanted = [line for line in shown.split("\n") if line]
    assert [line for line in lines if line in wanted] == wanted


def test_an_image_in_use_stays_and_a_new_one_replaces_its_users(write_stack, tmp_path):
    image = write_image(tmp_path / "image")
    stack = write_stack(FILE % ("exec sleep infinity", image, ""))
    stack.run("up", "-d")
    refused = stack.run("image", "rm", image, code=None)
    assert refused.returncode != 0
    assert "is used by stack-web-1" in refused.stderr
    assert stack.run("plan").stdout == "nothing to do\n"
    write_image(tmp_path / "image", b"newer")
    assert "pull" in stack.run("plan", code=2).stdout
    stack.run("up", "-d")
    assert stack.run("exec", "web", "cat", "/mnt/data/new").stdout == "newer"


def test_a_subpath_that_is_not_there(write_stack, tmp_path):
    image = write_image(tmp_path / "image")
    stack = write_stack(FILE % ("true", image, ", image: {subpath: nowhere}"))
    assert "has no nowhere, to be mounted at /mnt" in stack.run("up", "-d", code=1).stderr
    stack.write(FILE % ("true", image, ", image: {subpath: ../up}"))
    assert "leads outside the image" in stack.run("config", code=None).stderr
