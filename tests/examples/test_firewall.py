"""Another program changes the firewall of the machine while stacks run: on a network of the test's own."""

from __future__ import annotations

import difflib
import os
import select
import subprocess

import pytest

from tests.driver.local.net.conftest import LACK, own_network
from tests.examples.conftest import eventually
from tests.examples.test_killed_in_the_middle import find

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(bool(LACK), reason=LACK),
    pytest.mark.timeout(120),
]

STACK = """
services:
  web:
    image: "rootfs:/"
    command: [python3, -m, http.server, "80", --directory, /srv/nothing]
    stop_signal: SIGKILL
    ports: ["8080:80"]
    tmpfs: [/srv/nothing]
    networks: [front]
  api: {image: "rootfs:/", command: [sleep, infinity], stop_signal: SIGKILL, networks: [back]}
networks: {front: , back: }
"""
TABLE = "orchestra_"
LOST = "its firewall rules were removed or changed"


@pytest.fixture(autouse=True)
def machine():
    with own_network():
        yield


@pytest.fixture
def running(write_stack, machine):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    return stack


def nft(*words):
    return subprocess.run(["nft", *words], capture_output=True, text=True, check=True).stdout


def ruleset():
    return nft("list", "ruleset")


def table():
    (found,) = {word for word in ruleset().split() if word.startswith(TABLE)}
    return found


def first_rule(chain):
    listing = nft("-a", "list", "chain", "ip", table(), chain)
    return next(line.rpartition("# handle ")[2] for line in listing.splitlines()[3:] if "# handle" in line)


LOSSES = {
    "everything": lambda: nft("flush", "ruleset"),
    "the table": lambda: nft("delete", "table", "ip", table()),
    "all rules of a chain": lambda: nft("flush", "chain", "ip", table(), "admit"),
    "a rule": lambda: nft("delete", "rule", "ip", table(), "forward", "handle", first_rule("forward")),
    "a rule's verdict": lambda: nft(
        "replace", "rule", "ip", table(), "forward", "handle", first_rule("forward"), "counter"
    ),
    "a policy": lambda: nft("chain", "ip", table(), "forward", "{ policy drop ; }"),
    "the table's working": lambda: nft("add", "table", "ip", table(), "{ flags dormant ; }"),
    "a rule besides": lambda: nft("insert", "rule", "ip", table(), "forward", "accept"),
}


def wait_for_rules(before, lost):
    """Until all rules are as they were before the loss."""
    try:
        eventually(lambda: ruleset() == before)
    except AssertionError:
        changes = difflib.unified_diff(before.splitlines(), ruleset().splitlines(), lineterm="")
        pytest.fail("\n".join([f"after the loss of {lost}:", *changes]))


def test_lost_rules_are_put_back_at_once_and_reported(running):
    before = ruleset()
    with running.start("events", stdout=subprocess.PIPE) as events:
        try:
            while not select.select([events.stdout], [], [], 0)[0]:  # until it listens
                running.run("up", "-d", "--force-recreate", "api")
            before = ruleset()
            for lost, lose in LOSSES.items():
                lose()
                assert "network" in next(line for line in events.stdout if LOST in line), lost
                wait_for_rules(before, lost)
        finally:
            events.terminate()
    log = (running.home / "data/stacks/stack/supervisor.log").read_text()
    assert f"{LOST} by the program nft" in log


def test_rules_of_others_that_come_and_go_are_nobodys_loss(running):
    before = ruleset()
    for _ in range(20):
        nft("add", "table", "ip", "other")
        nft("add", "chain", "ip", "other", "input", "{ type filter hook input priority 0 ; }")
        nft("delete", "table", "ip", "other")
    running.run("up", "-d")
    assert ruleset() == before
    assert LOST not in (running.home / "data/stacks/stack/supervisor.log").read_text()


def test_plan_and_up_see_lost_rules_without_a_supervisor(running):
    """Both processes that could notice the loss are stopped meanwhile: nothing but looking tells of it."""
    before = ruleset()
    for victim in ("fork server", "supervisor"):
        for pid in find(running, victim):
            os.kill(pid, 9)
    nft("flush", "ruleset")
    planned = running.run("plan", code=None)
    assert LOST in planned.stdout or ruleset() == before, planned.stdout
    running.run("up", "-d")
    assert ruleset() == before


def test_published_ports_work_again_after_a_flush(running):
    def answers():
        command = [
            "python3",
            "-c",
            "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/', timeout=5)",
        ]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    assert eventually(answers)
    nft("flush", "ruleset")
    assert eventually(answers)
