"""A service is replaced under load: real servers in containers, and clients that count every request."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.examples.conftest import eventually, free_port, needs_containers
from tests.examples.test_runtimes import supervisor

pytestmark = [*needs_containers, pytest.mark.timeout(300)]

LOAD = Path(__file__).parent / "under_load"
CLIENTS = ("by-name", "by-port")


def counts(stack, client: str) -> dict:
    return json.loads(stack.run("logs", "--no-log-prefix", client).stdout.splitlines()[-1])


def test_an_update_loses_no_request_and_a_bad_version_rolls_back(write_stack):
    text = (LOAD / "compose.yaml").read_text()
    stack = write_stack(text, LOAD=str(LOAD), PORT=str(free_port()), REPLICAS="2", REQUESTS="100")
    stack.run("up", "-d")
    eventually(lambda: all("enough" in stack.run("logs", client).stdout for client in CLIENTS))

    stack.environment["COMMAND"] = "python3 -I /load/server.py 8000 v2"
    with stack.start("up", "-d") as up:
        eventually(lambda: "stack-web-3" in stack.run("ps").stdout)
        os.kill(supervisor(stack.home), signal.SIGKILL)
        assert up.wait(120) == 0
    assert "stack-web-3" not in stack.run("ps", "-a").stdout

    stack.environment["COMMAND"] = "python3 -c raise(SystemExit(3))"
    done = stack.run("up", "-d", code=1, seconds=120)
    assert "the update was rolled back: container stack-web-3 exited (3)" in done.stderr
    assert "update of web, which failed" in stack.run("history").stdout

    stack.run("stop", *CLIENTS)
    for client in CLIENTS:
        told = counts(stack, client)
        assert told["failed"] == {}, client
        assert told["versions"].keys() == {"v1", "v2"}
        assert told["on open connections"] > 0
