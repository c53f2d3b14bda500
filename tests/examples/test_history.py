"""What a stack was asked to be, and going back to it, with the images of that time."""

from __future__ import annotations

import json

from tests.examples.images import busybox, needs_busybox

pytestmark = needs_busybox

FILE = """
services:
  web:
    image: example.com/app
    pull_policy: never
    environment: {{VERSION: "{version}"}}
{more}
"""
NEW = """
  extra:
    image: example.com/app
    pull_policy: never
"""


def shown(stack):
    """What the program of the service says of itself."""
    return stack.run("exec", "-T", "web", "sh", "-c", "echo $RELEASE $VERSION").stdout.split()


def rows(stack):
    return json.loads(stack.run("history", "--format", "json").stdout)


def test_a_stack_goes_back_to_what_it_was_with_the_images_of_that_time(write_stack, tmp_path):
    stack = write_stack(FILE.format(version=1, more=""), SUDO_USER="alice")
    for release in ("first", "second"):
        settings = {"Cmd": ["sleep", "1000"], "StopSignal": "SIGKILL", "Env": [f"RELEASE={release}"]}
        stack.run("image", "pull", reference := busybox(tmp_path / release, settings))
        stack.run("image", "tag", reference, "example.com/app")
        if release == "first":
            stack.run("up", "-d")
    stack.run("up", "-d")
    assert shown(stack) == ["second", "1"]
    stack.write(FILE.format(version=2, more=NEW))
    stack.run("up", "-d", "--wait")
    assert [row["Command"] for row in rows(stack)] == ["up", "up", "up"]
    assert {row["By"] for row in rows(stack)} == {"alice"}
    assert rows(stack)[1]["Changes"] == "image example.com/app changed"

    said = stack.run("history", "3").stdout
    assert 'environment.VERSION: "1" → "2"' in said
    assert f"added    container/{stack.folder.name}-extra-1" in said

    planned = stack.run("--dry-run", "rollback", "1").stdout
    assert f"remove container/{stack.folder.name}-extra-1" in planned
    assert shown(stack) == ["second", "2"]
    told = stack.run("rollback", "1").stderr
    assert "back to revision 1" in told
    assert "(alice: up)" in told
    assert shown(stack) == ["first", "1"]
    assert "extra" not in stack.containers()

    stack.run("rollback")
    assert shown(stack) == ["second", "2"]
    assert [row["Command"] for row in rows(stack)][:2] == ["rollback", "rollback 1"]
    for wrong, words in (("9", "has no revision 9"), ("x", "expected a number")):
        assert words in stack.run("rollback", wrong, code=1).stderr
    stack.run("down")
    assert "has no revisions" in stack.run("rollback", code=1).stderr
