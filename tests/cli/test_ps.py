"""``ps`` shows what a restart policy is at, even between two runs."""

from __future__ import annotations

import json
import os
import time

import pytest

STACK = """
services:
  crashing: {image: "rootfs:/", command: ["false"], restart: always}
  limited: {image: "rootfs:/", command: ["false"], restart: "on-failure:1"}
  done: {image: "rootfs:/", command: ["true"]}
"""


@pytest.mark.root
@pytest.mark.scenario
@pytest.mark.timeout(120)
@pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")
def test_what_is_between_two_runs_is_restarting(write_stack):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    deadline = time.monotonic() + 30
    while stack.containers()["limited"]["State"] != "exited" or stack.containers()["crashing"]["State"] != "restarting":
        assert time.monotonic() < deadline, stack.containers()
    (row,) = map(json.loads, stack.run("ps", "--format", "json").stdout.splitlines())
    assert row["Service"] == "crashing"
    if row["State"] == "restarting":
        assert row["Status"] == "Restarting" or row["Status"].startswith("Restarting (1) ")
    assert stack.containers()["done"]["State"] == "exited"


def test_what_is_just_being_started_again_is_not_left_out(orchestra, by_hand):
    by_hand.want(containers=[{"name": "s-web-1", "service": "web", "restart": {"policy": "always"}}])
    directory = by_hand.home.container(by_hand.create("web"))
    assert orchestra("-p", "s", "ps", "-q") == (0, "", "")
    with open(f"{directory}/start.json", "w") as file:
        json.dump({"restarts": 1, "backoff": 1}, file)
    _, shown, _ = orchestra("-p", "s", "ps", "--format", "json")
    row = json.loads(shown)
    assert (row["State"], row["Status"]) == ("restarting", "Restarting")


@pytest.mark.parametrize("command", ["ps", "logs", "images"])
def test_damage_is_told_before_a_service_is_refused(orchestra, by_hand, command):
    name = by_hand.create("web")
    with open(f"{by_hand.home.container(name)}/container.json", "w") as file:
        file.write("[]")
    code, _, error = orchestra("-p", "s", command, "nobody")
    assert code == 1
    assert [line.partition(":")[0] for line in error.splitlines()] == ["warning", "error", "  hint"]
    assert name in error


def test_without_a_supervisor_nothing_is_about_to_be_restarted(orchestra, by_hand):
    by_hand.want(containers=[{"name": "s-web-1", "service": "web", "restart": {"policy": "always"}}])
    by_hand.exit(by_hand.create("web"), 1)
    assert orchestra("-p", "s", "ps", "-q") == (0, "", "")
    _, shown, _ = orchestra("-p", "s", "ps", "-a", "--format", "json")
    assert json.loads(shown)["State"] == "exited"
