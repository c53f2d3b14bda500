"""Anonymous volumes of real containers: who has their data next, and when they are gone."""

from __future__ import annotations

import json

from tests.driver.local.image.making import directory, entry
from tests.examples.images import busybox, needs_busybox

pytestmark = needs_busybox

CONTENT = [directory("data", mode=0o750, uid=7, gid=8), entry("data/seed", content=b"seed\n"), directory("own")]
FILE = """
services:
  db: {{image: "{image}", environment: {{COLOUR: "${{COLOUR:-red}}"}}, volumes: [/own], stop_signal: SIGKILL}}
"""


def started(write_stack, tmp_path):
    """A stack with two anonymous volumes, in each of which something was written: one of the image, one of the file."""
    image = busybox(tmp_path / "image", {"Cmd": ["sleep", "1000"], "Volumes": {"/data": {}}}, *CONTENT)
    stack = write_stack(FILE.format(image=image))
    stack.run("up", "-d")
    inside(stack, "cat /data/seed; stat -c '%a %u:%g' /data", "seed\n750 7:8\n")
    inside(stack, "echo kept > /data/file; echo kept > /own/file")
    return stack


def inside(stack, script, output=""):
    assert stack.run("exec", "-T", "db", "sh", "-c", script).stdout == output


def volumes(stack):
    return sorted(path.name for path in (stack.home / "data/volumes").iterdir())


def test_a_replaced_container_has_what_its_predecessor_had(write_stack, tmp_path):
    stack = started(write_stack, tmp_path)
    before = stack.containers()["db"]["ID"], volumes(stack)
    for colour, more in (("blue", ()), ("blue", ("--force-recreate",))):
        stack.environment["COLOUR"] = colour
        stack.run("up", "-d", *more)
        inside(stack, "cat /data/file /own/file", "kept\nkept\n")
    assert stack.containers()["db"]["ID"] != before[0]
    assert volumes(stack) == before[1]


def test_new_ones_are_made_and_the_old_ones_deleted_when_that_is_asked_for(write_stack, tmp_path):
    stack = started(write_stack, tmp_path)
    stack.run("up", "-d", "-V")
    inside(stack, "ls /own /data", "/data:\nseed\n\n/own:\n")
    assert len(volumes(stack)) == 2


def test_down_orphans_them_and_down_with_volumes_deletes_the_rest(write_stack, tmp_path):
    stack = started(write_stack, tmp_path)
    stack.run("down")
    assert len(volumes(stack)) == 2
    stack.run("up", "-d")
    inside(stack, "ls /own /data", "/data:\nseed\n\n/own:\n")
    assert len(volumes(stack)) == 4
    stack.run("down", "-v")
    assert volumes(stack) == []


def test_they_go_with_down_also_when_the_stack_has_been_down_before(write_stack, tmp_path):
    stack = started(write_stack, tmp_path)
    stack.run("down")
    stack.run("down", "-v")
    assert volumes(stack) == []


def test_what_a_scaled_down_replica_had_is_nobodys(write_stack, tmp_path):
    stack = started(write_stack, tmp_path)
    stack.run("up", "-d", "--scale", "db=2")
    assert len(volumes(stack)) == 4
    stack.run("up", "-d", "--scale", "db=1")
    stack.run("up", "-d", "--scale", "db=2")
    assert len(volumes(stack)) == 6
    inside(stack, "cat /data/file", "kept\n")


def test_a_container_that_cannot_be_made_leaves_no_volume_of_its_own_and_takes_none_of_its_predecessor(
    write_stack, tmp_path
):
    stack = started(write_stack, tmp_path)
    before = volumes(stack)
    text = stack.file.read_text()
    stack.file.write_text(text.replace("[/own]", "[/own, /another, {type: bind, source: ./none, target: /mnt}]"))
    assert "none" in stack.run("up", "-d", code=1).stderr
    assert volumes(stack) == before
    stack.file.write_text(text)
    stack.run("up", "-d")
    inside(stack, "cat /data/file /own/file", "kept\nkept\n")


def test_the_records_say_whose_they_are(write_stack, tmp_path):
    stack = started(write_stack, tmp_path)
    records = [json.loads(path.read_text()) for path in (stack.home / "data/volumes").glob("*/volume.json")]
    said = {(record["stack"], record["container"], record["target"]) for record in records}
    assert said == {("stack", "stack-db-1", "/data"), ("stack", "stack-db-1", "/own")}


def test_down_of_a_service_takes_its_anonymous_volumes_when_that_is_asked_for(write_stack, tmp_path):
    stack = started(write_stack, tmp_path)
    stack.run("up", "-d", "--scale", "db=2")
    text = stack.file.read_text()
    stack.file.write_text(text + '  other: {image: "rootfs:/", command: [sleep, infinity], stop_signal: SIGKILL}\n')
    stack.run("up", "-d", "--scale", "db=2")
    assert len(volumes(stack)) == 4
    said = stack.run("down", "-v", "db").stderr
    assert "Container stack-db-2 Removed" in said
    assert "Network" not in said
    assert volumes(stack) == []
    assert set(stack.containers()) == {"other"}
    assert "no such service: nobody" in stack.run("down", "nobody", code=1).stderr
