"""`use_api_socket`: a container of a stack that asks its own API, and what it may do there."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.engine_api.client import ASK
from tests.examples.conftest import eventually, needs_containers

pytestmark = [*needs_containers, pytest.mark.xdist_group("engine_api")]

FILE = """
services:
  client:
    image: rootfs:/
    command: sleep 10000
    init: true
    use_api_socket: true
    %s
  db: {image: "rootfs:BUSYBOX", command: [sleep, "10000"], init: true}
"""


def ask(stack, method, path):
    """Status and answer, as a program in the container gets them."""
    told = stack.run("exec", "-T", "client", "python3", "-c", ASK, method, path)
    return json.loads(told.stdout)


def processes(stack, name):
    """The pids of those of this home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_of_home = f"ORCHESTRA_HOME={stack.home}".encode() in (process / "environ").read_bytes().split(b"\0")
            if is_of_home and (process / "comm").read_text().startswith(name):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def names(answer):
    return sorted(row["Names"][0] for row in answer[1])


def test_a_container_asks_the_api_and_whatever_is_killed_is_there_again(write_stack):
    stack = write_stack(FILE % "", name="own")
    assert "use_api_socket" not in stack.run("up", "-d").stderr
    assert processes(stack, "orchestra-api") == []  # nothing has asked yet
    assert names(ask(stack, "GET", "/containers/json")) == ["/own-client-1", "/own-db-1"]
    (server,) = processes(stack, "orchestra-api")
    os.kill(server, signal.SIGKILL)
    assert ask(stack, "POST", "/containers/own-db-1/restart?t=0")[0] == 204
    (supervisor,) = processes(stack, "orchestra-super")
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: processes(stack, "orchestra-super") not in ([], [supervisor]))
    stack.run("ps")
    eventually(lambda: names(ask(stack, "GET", "/containers/json")) == ["/own-client-1", "/own-db-1"])
    stack.run("down")
    assert processes(stack, "orchestra-api") == []
    assert not list(stack.home.glob("run/stacks/*/api/*"))


@pytest.mark.parametrize("access", ["stack", "read-only"])
def test_the_file_says_what_may_be_done(access, write_stack):
    stack = write_stack(FILE % f"x-orchestra: {{api: {access}}}", name="own")
    other = write_stack("services: {alone: {image: rootfs:BUSYBOX, command: [sleep, '100'], init: true}}", name="other")
    other.run("up", "-d")
    stack.run("up", "-d")
    assert names(ask(stack, "GET", "/containers/json")) == ["/own-client-1", "/own-db-1"]
    assert ask(stack, "GET", "/containers/other-alone-1/json")[0] == 404
    assert ask(stack, "POST", "/containers/own-db-1/kill")[0] == (204 if access == "stack" else 403)
    assert ask(stack, "POST", "/volumes/create")[0] == 403
    assert stack.run("exec", "-T", "client", "sh", "-c", "echo $DOCKER_CONFIG").stdout == "\n"


def test_credentials_are_a_file_of_the_container_and_nowhere_else(write_stack, tmp_path):
    (tmp_path / "config.json").write_text('{"auths": {"registry.example": {"auth": "dXNlcjpzZWNyZXQ="}}}')
    stack = write_stack(FILE % "", name="own", DOCKER_CONFIG=str(tmp_path))
    stack.run("up", "-d")
    told = stack.run("exec", "-T", "client", "sh", "-c", "cat $DOCKER_CONFIG/config.json")
    assert json.loads(told.stdout)["auths"] == {"registry.example": {"auth": "dXNlcjpzZWNyZXQ="}}
    assert b"dXNlcjpzZWNyZXQ" not in (stack.home / "data/stacks/own/desired.json").read_bytes()


def test_the_plan_shows_another_access(write_stack):
    stack = write_stack(FILE % "", name="own")
    stack.run("up", "-d")
    stack.write(FILE % "x-orchestra: {api: read-only}")
    shown = stack.run("plan", code=None).stdout
    assert 'volumes./var/run/docker.sock: "API socket, all" → "API socket, read-only"' in shown
    stack.run("up", "-d")
    assert ask(stack, "POST", "/containers/own-db-1/kill")[0] == 403
    assert stack.run("plan").stdout.strip() == "nothing to do"


def test_a_container_that_moves_its_path_has_nothing_else_unmounted(write_stack):
    """The next supervisor takes the earlier socket away by its path; what hides files of /proc must stay."""

    def masked():
        """Files of /proc with something mounted over them, and how many times."""
        told = stack.run("exec", "-T", "client", "cat", "/proc/self/mountinfo").stdout
        places = (line.split()[3:5] for line in told.splitlines())
        return Counter(place for root, place in places if root == "/null" and place.startswith("/proc/"))

    stack = write_stack(FILE % "", name="own")
    stack.run("up", "-d")
    before = masked()
    move = f"rm -f /var/run; mkdir -p /var/run; ln -s {min(before)} /var/run/docker.sock"
    stack.run("exec", "-T", "client", "sh", "-c", move)
    (supervisor,) = processes(stack, "orchestra-super")
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: processes(stack, "orchestra-super") not in ([], [supervisor]))
    stack.run("up", "-d")
    assert masked() == before
