"""The files that docs/reference/files.md lists are those that exist."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.examples.conftest import eventually, needs_containers

pytestmark = [*needs_containers, pytest.mark.skipif(not shutil.which("crun"), reason="needs crun")]

DOCS = Path(__file__).parent.parent.parent / "docs/reference/files.md"
FILE = """
services:
  web:
    image: rootfs:BUSYBOX
    command: [sh, -c, "while :; do echo x; done"]
    stop_signal: SIGKILL
    stdin_open: true
    secrets: [token]
    healthcheck: {test: [CMD, "true"], interval: 1s}
    post_start: [{command: ["true"]}]
  job: {image: "rootfs:BUSYBOX", command: [echo, done]}
  other: {image: "rootfs:BUSYBOX", command: [sleep, infinity], runtime: crun, stop_signal: SIGKILL}
secrets:
  token: {environment: HOME}
"""
AFTER_A_REBOOT = {"before.json"}


def documented() -> set[str]:
    section = DOCS.read_text().partition("## A container")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def paths() -> set[str]:
    """Those that the page lists in the home and of a stack."""
    return set(re.findall(r"^\| `((?:data|run)/[^`]+)` \|", DOCS.read_text(), re.MULTILINE))


def places(home: Path) -> set[Path]:
    """What is directly in the two directories of the home, and in those of a stack."""
    return {path for pattern in ("data/*", "run/*", "*/stacks/stack/*") for path in home.glob(pattern)}


def test_every_file_of_a_container_is_documented_and_every_documented_file_is_there(write_stack):
    stack = write_stack(FILE)
    containers = stack.home / "run/stacks/stack/containers"
    seen: set[str] = set()

    def look() -> set[str]:
        # A name that begins with a dot is that of a file which is just being written.
        seen.update(path.name for path in containers.glob("*/*") if not path.name.startswith("."))
        return seen

    with stack.start("up", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as up:
        eventually(lambda: {"log.note", "health.json", "hooks.json", "exit.json", "runtime"} <= look())
        up.send_signal(signal.SIGINT)
        up.wait(timeout=60)
    look()
    assert seen == documented() - AFTER_A_REBOOT
    assert {
        str(path.relative_to(stack.home)).replace("stacks/stack/", "stacks/STACK/") for path in places(stack.home)
    } <= paths()
