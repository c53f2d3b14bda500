"""A stack whose files are followed: what is edited is applied, what is wrong changes nothing."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from tests.examples.conftest import eventually, needs_containers
from tests.examples.test_survival import greeting

pytestmark = needs_containers

FILE = """
include: [more.yaml]
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sleep, infinity]
    init: true
    env_file: web.env
    environment: {GIVEN: "${GIVEN}", LATER: "${LATER:-}"}
  job: {image: "rootfs:BUSYBOX", command: ["true"]}
"""
MORE = """
services:
  extra: {image: "rootfs:BUSYBOX", command: [sleep, "%s"], init: true}
"""
CONVERGED, REFUSED, DOWN = 0, 5, 6


def state(stack):
    return json.loads(stack.run("status", "--format", "json", code=None).stdout)


def applied(stack, before):
    """A later edit than that was applied, and everything is done."""

    def is_applied():
        found = state(stack)
        edit = found["edit"]
        return edit and edit["at"] > before and not edit["error"] and found["exit_code"] == CONVERGED and edit["at"]

    return eventually(is_applied)


def variables(stack):
    return stack.run("exec", "-T", "web", "env").stdout.split()


def save(stack, name, text):
    """As editors do: under another name at first."""
    other = stack.folder / f".{name}.swp"
    other.write_text(text.replace("rootfs:BUSYBOX", f"rootfs:{stack.busybox_root}"))
    other.rename(stack.folder / name)


def test_what_is_saved_is_applied_and_what_is_wrong_changes_nothing(write_stack):
    stack = write_stack(FILE, files={"web.env": "A=1\n"}, GIVEN="secret")
    folder = stack.folder
    save(stack, "more.yaml", MORE % 100)
    stack.run("up", "-d", "--follow")
    ran = stack.containers()
    assert state(stack)["edit"] is None
    assert stack.run("status").stdout.splitlines()[-1].endswith("not changed since")

    spent = json.loads(stack.run("timeline", "--format", "json").stdout)
    assert sum(each["seconds"] for each in spent["critical_path"]) == pytest.approx(spent["seconds"])
    assert {"load", "create", "start"} <= {each["part"] for each in spent["critical_path"]}
    for form, words in (("text", "critical path:"), ("svg", "<svg"), ("html", "<!doctype html>")):
        assert words in stack.run("timeline", "--format", form).stdout
    began = time.time()

    (folder / "web.env").write_text("A=2\n")
    last = applied(stack, 0)
    assert {"A=2", "GIVEN=secret"} <= {*variables(stack)}
    now = stack.containers()
    assert now["extra"]["ID"] == ran["extra"]["ID"]
    assert now["job"]["Status"].startswith("Exited (0)")

    save(stack, "more.yaml", MORE % 200)
    last = applied(stack, last)
    assert "200" in stack.containers()["extra"]["Command"]

    (folder / ".env").write_text("LATER=now\n")
    last = applied(stack, last)
    assert "LATER=now" in variables(stack)

    before = stack.containers()
    wrong = FILE.replace("[sleep, infinity]", "[sleep")
    save(stack, "compose.yaml", wrong)
    eventually(lambda: state(stack)["exit_code"] == REFUSED)
    edit = state(stack)["edit"]
    assert edit["location"] == {"path": str(folder / "compose.yaml"), "line": 6, "column": 14}
    assert stack.run("ps", "-a").stderr.startswith("warning: the last edit was not applied: ")
    assert stack.containers().keys() == before.keys()
    said = stack.run("events", "--since", "1h", "--until", "0s").stdout
    assert f"files refused ({folder}/compose.yaml:6:14: " in said

    (folder / "compose.yaml").unlink()
    eventually(lambda: state(stack)["edit"]["location"] is None)
    save(stack, "compose.yaml", FILE)
    last = applied(stack, last)
    assert {row["ID"] for row in stack.containers().values()} == {row["ID"] for row in before.values()}

    save(stack, "compose.yaml", FILE.replace("include: [more.yaml]", ""))
    last = applied(stack, last)
    eventually(lambda: "extra" not in stack.containers())
    past = stack.run("ps", "--at", str(began), "-a", "--format", "json")
    assert [json.loads(line)["State"] for line in past.stdout.splitlines()] == ["running", "exited", "running"]
    assert "revision 1" in past.stderr
    assert "the events that are kept begin at" in stack.run("ps", "--at", "24h", code=1).stderr

    os.kill(greeting(stack.home / "run/stacks/stack")["supervisor"], signal.SIGKILL)
    (folder / "web.env").write_text("A=3\n")
    applied(stack, last)
    assert "A=3" in variables(stack)
    assert [row["Command"] for row in json.loads(stack.run("history", "--format", "json").stdout)][:2] == ["edit"] * 2

    assert "not any more" in stack.run("up", "-d").stderr
    assert state(stack)["followed_since"] is None
    stack.run("down")
    stack.run("status", code=DOWN)
