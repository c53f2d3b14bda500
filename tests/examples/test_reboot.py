"""The machine reboots: no process, mount or file of the ``run`` directory is left, and the ``data`` directory is."""

from __future__ import annotations

import shutil
from pathlib import Path

from orchestra.linux.mounts.mount import MNT_DETACH, unmount
from tests.cli.test_prune import kill_all, kill_containers
from tests.examples.conftest import eventually, needs_containers

pytestmark = needs_containers

SERVICE = '{image: "rootfs:BUSYBOX", command: [sleep, infinity], stop_signal: SIGKILL, restart: always}'


def lose_what_a_reboot_loses(*stacks) -> None:
    """stacks: all of the home."""
    for stack in stacks:
        kill_all(stack)
        kill_containers(stack)
    pins = Path(stacks[0].home, "run/netns")
    for mounted in (*pins.iterdir(), pins):
        unmount(str(mounted), MNT_DETACH)
    shutil.rmtree(f"{stacks[0].home}/run")


def test_a_stopped_service_stays_stopped_after_a_reboot_until_it_is_started(write_stack):
    stack = write_stack(f"services: {{db: {SERVICE}, idle: {SERVICE}, web: {SERVICE}}}")
    stack.run("up", "-d")
    stack.run("stop", "web")
    lose_what_a_reboot_loses(stack)

    assert stack.containers() == {}
    stack.run("start", "db")
    eventually(lambda: stack.states() == {"db": "running", "idle": "running"})
    stack.run("up", "-d", "idle")
    assert stack.states() == {"db": "running", "idle": "running"}
    stack.run("start", "web")
    assert stack.states()["web"] == "running"
