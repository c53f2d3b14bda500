"""Example stacks whose containers crun and runc make: the same stories, and a supervisor that is killed meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.examples.conftest import eventually, free_port, http

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.timeout(120),
]


@pytest.fixture(params=["crun", "runc"])
def runtime(request):
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    return request.param


def supervisor(home):
    """The pid of the one that serves the only stack of this home."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text()
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if name.startswith("orchestra-super") and f"ORCHESTRA_HOME={home}".encode() in environment:
            return int(process.name)
    return None


def test_hello_greets(stack, runtime):
    done = stack("hello").run("--runtime", runtime, "up")
    assert "process 1 of its own world" in done.stdout


def test_guestbook_serves_over_the_death_of_its_supervisor(stack, runtime, tmp_path):
    port = free_port()
    guestbook = stack("guestbook", GUESTBOOK_PORT=str(port), GUESTBOOK_DATA=str(tmp_path / "data"))
    guestbook.run("--runtime", runtime, "up", "-d", "--wait")
    states = list(guestbook.home.glob("run/stacks/*/containers/*/runtime/state"))
    assert len(states) == len(guestbook.containers())
    http(port, "POST", "/entries", {"name": "Ada", "text": "hello hello"})
    assert guestbook.run("--runtime", runtime, "exec", "-T", "web", "sh", "-c", "exit 7", code=7)
    killed = supervisor(guestbook.home)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: supervisor(guestbook.home) not in (None, killed))
    assert eventually(lambda: http(port, "GET", "/counts")) == {"hello": 2}
    again = guestbook.run("--runtime", runtime, "up", "-d", "--wait")
    assert "Created" not in again.stderr


def test_limits_bite(stack, runtime):
    limits = stack("limits")
    limits.run("--runtime", runtime, "up", "-d")
    rows = eventually(lambda: (r := limits.containers()) and all(x["State"] == "exited" for x in r.values()) and r, 30)
    assert rows["memory"]["ExitCode"] == 137
    assert "started 15 of 100" in limits.run("logs", "--no-log-prefix").stdout


def test_a_missing_runtime_of_a_service_is_reported_at_its_place(write_stack):
    broken = write_stack("services: {web: {image: 'rootfs:/', runtime: nonsense, command: 'true'}}")
    assert "the runtime nonsense is not installed" in broken.run("up", code=None).stderr
