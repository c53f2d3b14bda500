"""``cp`` between containers there and the files of this machine."""

from __future__ import annotations

import os

import pytest

from tests.ssh.conftest import needs_ssh

pytestmark = needs_ssh

STACK = """
services:
  web: {image: "rootfs:BUSYBOX", command: [sleep, infinity], init: true, stop_grace_period: 0s}
"""


@pytest.fixture
def stack(write_remote_stack):
    made = write_remote_stack(STACK, files={"tree/deep/file": "deep\n", "one": "one\n"})
    made.run("up", "-d")
    return made


def test_files_and_directories_go_there(stack):
    folder = stack.folder
    stack.run("cp", f"{folder}/one", "web:/tmp/renamed")
    stack.run("cp", f"{folder}/tree", "web:/tmp")
    stack.run("cp", f"{folder}/tree/.", "web:/tmp/content")
    shown = stack.run("exec", "-T", "web", "sh", "-c", "cd /tmp; cat renamed tree/deep/file content/deep/file").stdout
    assert shown == "one\ndeep\ndeep\n"


def test_files_and_directories_come_here(stack):
    folder = stack.folder
    stack.run(
        "exec", "-T", "web", "sh", "-c", "mkdir -p /made/below; echo x > /made/below/file; ln -s below /made/link"
    )
    stack.run("cp", "web:/made", f"{folder}/got")
    assert (folder / "got" / "below" / "file").read_text() == "x\n"
    assert os.readlink(folder / "got" / "link") == "below"
    stack.run("cp", "web:/made/below/file", str(folder))
    assert (folder / "file").read_text() == "x\n"
    assert "cannot be copied" in stack.run("cp", "web:/made", f"{folder}/one", code=1).stderr
    assert "missing" in stack.run("cp", "web:/missing", f"{folder}/got", code=1).stderr


def test_archives_pass_unchanged(stack):
    content = os.urandom(3_000_000)
    (stack.folder / "random").write_bytes(content)
    stack.run("cp", f"{stack.folder}/random", "web:/tmp/random")
    stack.run("cp", "web:/tmp/random", f"{stack.folder}/back")
    assert (stack.folder / "back").read_bytes() == content


def test_what_is_not_here_is_said_before_anything_is_there(stack):
    error = stack.run("cp", f"{stack.folder}/nothing", "web:/tmp", code=1).stderr
    assert f"{stack.folder}/nothing" in error
