"""``orchestra events``: what happens, of everything or of some services."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from orchestra.control import history
from orchestra.home import Home
from orchestra.model.event import ContainerEvent
from tests.examples.conftest import eventually, needs_containers
from tests.examples.test_survival import greeting

pytestmark = needs_containers

STACK = """
services:
  web: {image: "rootfs:BUSYBOX", command: [sleep, infinity], stop_signal: SIGKILL, container_name: front}
  web-api: {image: "rootfs:BUSYBOX", command: [sleep, infinity], stop_signal: SIGKILL}
"""


def test_events_of_one_service_are_its_own_whatever_its_container_is_called(write_stack):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    with stack.start("events", "--json", "web", stdout=subprocess.PIPE) as events:
        eventually(lambda: any("socket:" in os.readlink(fd) for fd in Path(f"/proc/{events.pid}/fd").iterdir()))
        for _ in range(2):  # it may be connected and not be heard yet
            stack.run("up", "-d", "--force-recreate")
        events.terminate()
        seen = [json.loads(line) for line in events.stdout]
    assert {event["service"] for event in seen} == {"web"}
    assert {tuple(event) for event in seen} == {("time", "type", "service", "id", "action", "attributes")}
    containers = [event for event in seen if event["type"] == "container"]
    assert {event["attributes"]["name"] for event in containers} == {"front"}
    assert "stop destroy create start" in " ".join(e["action"] for e in containers if e["action"] != "die")
    assert all(len(event["id"]) == 64 for event in containers if event["action"] in ("create", "start"))


def test_events_are_kept_for_those_who_ask_later(write_stack):
    stack = write_stack(STACK)
    began = time.time()
    stack.run("up", "-d")
    ran = time.time()
    stack.run("up", "-d", "--force-recreate", "web-api")
    os.kill(greeting(stack.home / "run/stacks/stack")["supervisor"], signal.SIGKILL)
    seen = rows(stack.run("events", "--json", "--since", str(began), "--until", str(ran)))
    assert [e["action"] for e in seen if e["service"] == "web" and e["type"] == "container"] == ["create", "start"]
    assert ("network", "create") in {(e["type"], e["action"]) for e in seen}
    later = rows(stack.run("events", "--json", "--since", str(ran), "--until", "0s", "web-api"))
    assert [e["action"] for e in later] == ["die", "stop", "destroy", "create", "start"]
    assert rows(stack.run("events", "--json", "--until", "1h")) == []
    assert "--since soon: not a valid time" in stack.run("events", "--since", "soon", code=1).stderr


def test_events_wait_for_a_stack_that_is_not_up_and_end_in_time(write_stack):
    stack = write_stack(STACK)
    with stack.start("events", "--json", stdout=subprocess.PIPE) as events:
        eventually(lambda: any("inotify" in os.readlink(fd) for fd in Path(f"/proc/{events.pid}/fd").iterdir()))
        stack.run("up", "-d")
        first = next(row for line in events.stdout if (row := json.loads(line))["service"] == "web")
        assert first["type"] == "container"
        stack.run("down")
        assert events.wait(30) == 0
        assert "destroy" in {json.loads(line)["action"] for line in events.stdout}
    stack.run("up", "-d")
    assert stack.run("events", "--until", str(time.time() + 1)).stderr == ""


def test_the_history_is_bounded_and_bad_lines_are_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "FULL", 1000)
    home = Home(str(tmp_path / "data"), str(tmp_path / "run")).stack("stack")
    for number in range(100):
        history.append_events(home, [ContainerEvent(number, "stack-web-1", "web", "started")])
    kept = [event.at for event in history.read_events(home)]
    assert kept == list(range(100 - len(kept), 100))
    assert 3 < len(kept) < 30
    Path(home.events).write_text('{"kind": "ContainerEvent", "at": 1\n')
    assert all(event.at != 1 for event in history.read_events(home))


def rows(done):
    return [json.loads(line) for line in done.stdout.splitlines()]
