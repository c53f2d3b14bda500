"""Every example stack does what its README says."""

from __future__ import annotations

import os
import re

import pytest

from tests.examples.conftest import eventually, free_port, http

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.timeout(120),
]


def test_hello_greets_from_its_own_world(stack):
    hello = stack("hello")
    done = hello.run("up")
    assert "Hello from" in done.stdout
    assert "process 1 of its own world" in done.stdout
    assert hello.containers()["hello"]["ExitCode"] == 0


def test_guestbook_serves_and_keeps_its_entries_over_down_and_up(stack, tmp_path):
    port = free_port()
    guestbook = stack("guestbook", GUESTBOOK_PORT=str(port), GUESTBOOK_DATA=str(tmp_path / "data"))
    guestbook.run("up", "-d", "--wait")
    http(port, "POST", "/entries", {"name": "Ada", "text": "hello hello"})
    assert eventually(lambda: http(port, "GET", "/counts")) == {"hello": 2}
    guestbook.run("exec", "-T", "web", "touch", "/note")
    guestbook.run("down")
    guestbook.run("up", "-d", "--wait")
    assert [entry["name"] for entry in http(port, "GET", "/entries")] == ["Ada"]
    assert guestbook.run("exec", "-T", "web", "test", "-e", "/note", code=1)


def test_limits_bite(stack):
    limits = stack("limits")
    limits.run("up", "-d")
    rows = eventually(lambda: (r := limits.containers()) and all(x["State"] == "exited" for x in r.values()) and r, 30)
    assert rows["memory"]["ExitCode"] == 137
    logs = limits.run("logs", "--no-log-prefix").stdout
    assert "took 256 MiB" not in logs
    share = re.search(r"share ([\d.]+)", logs)
    assert share
    assert 0 < float(share[1]) < 0.35  # other programs may leave it less than its limit
    assert "started 15 of 100" in logs


def test_chain_is_up_when_every_link_is_healthy_in_turn(stack):
    chain = stack("chain")
    chain.run("up", "-d", "--wait")
    rows = chain.containers()
    assert len(rows) == 10
    assert {row["Health"] for row in rows.values()} == {"healthy"}
    assert chain.run("plan").returncode == 0
