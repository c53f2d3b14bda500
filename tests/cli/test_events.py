"""``orchestra events``: what happens, of everything or of some services."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.examples.conftest import eventually, needs_containers

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
    actions = [event for event in seen if event["kind"] == "ActionEvent"]
    assert {event["resource"] for event in actions} == {"container/front"}
    done = [event["verb"] for event in actions if event["phase"] == "done"]
    assert "stop remove create start" in " ".join(done)
