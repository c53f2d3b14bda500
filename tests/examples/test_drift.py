"""Another program changes the networks of a stack: on a network of the test's own."""

from __future__ import annotations

import json
import os
import select
import subprocess
from pathlib import Path

import pytest

from tests.driver.local.net.conftest import LACK, own_network
from tests.examples.conftest import eventually
from tests.examples.test_firewall import nft
from tests.examples.test_killed_in_the_middle import find

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(bool(LACK), reason=LACK),
    pytest.mark.timeout(120),
]

STACK = """
services:
  web: {image: "rootfs:/", command: [sleep, infinity], stop_signal: SIGKILL}
networks:
  default: {driver_opts: {com.docker.network.bridge.name: br-drift}}
"""
IPV4 = Path("/proc/sys/net/ipv4/conf")


@pytest.fixture(autouse=True)
def machine():
    with own_network():
        subprocess.run(["ip", "link", "add", "uplink", "type", "bridge"], check=True)
        subprocess.run(["ip", "link", "set", "uplink", "up"], check=True)
        yield


@pytest.fixture
def running(write_stack, machine):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    return stack


def ip(*words, pid=None):
    there = ["nsenter", "-n", "-t", str(pid)] if pid else []
    return subprocess.run([*there, "ip", *words], capture_output=True, text=True, check=True).stdout


def port():
    (line,) = ip("-o", "link", "show", "type", "veth").splitlines()
    return line.split()[1].partition("@")[0]


def gateway():
    return ip("-o", "-4", "addr", "show", "dev", "br-drift").split()[3]


def pin(stack):
    (path,) = (stack.home / "run/netns").iterdir()
    return path


def unpin(stack, _pid):
    path = pin(stack)
    subprocess.run(["umount", "-l", path], check=True)
    path.unlink()


# What is done (stack, process of the container), and what is said about it.
LOSSES = {
    "the bridge": (lambda *_: ip("link", "del", "br-drift"), "does not exist"),
    "the bridge is down": (lambda *_: ip("link", "set", "br-drift", "down"), "bridge br-drift was turned off"),
    "the bridge's address": (lambda *_: ip("addr", "del", gateway(), "dev", "br-drift"), "was removed"),
    "the host's end": (lambda *_: ip("link", "del", port()), "web-1: eth0 was removed"),
    "the host's end is down": (lambda *_: ip("link", "set", port(), "down"), "web-1: the interface was turned off"),
    "the host's end is no port": (
        lambda *_: ip("link", "set", port(), "nomaster"),
        "web-1: the interface was taken off the bridge",
    ),
    "the gate": (
        lambda *_: subprocess.run(["tc", "qdisc", "del", "dev", port(), "clsact"], check=True),
        "firewall rules were removed",
    ),
    "the container's end": (lambda _, pid: ip("link", "del", "eth0", pid=pid), "web-1: eth0 was removed"),
    "the container's address": (lambda _, pid: ip("addr", "flush", "dev", "eth0", pid=pid), "the address"),
    "the default route": (lambda _, pid: ip("route", "del", "default", pid=pid), "the default route was removed"),
    "a setting": (lambda *_: (IPV4 / "br-drift/route_localnet").write_text("0"), "route_localnet was changed"),
    "forwarding": (lambda *_: (IPV4 / "uplink/forwarding").write_text("0"), "turned off on interface uplink"),
    "the pinned namespace": (unpin, "the network namespace was removed"),
}


def state(stack, pid):
    """All that should come back, without what is made anew: names and numbers of veths, and when things ended."""
    listing = ip("-br", "link", "show", "dev", "br-drift") + ip("-br", "-4", "addr", "show", "dev", "br-drift")
    inside = ip("-br", "-4", "addr", "show", pid=pid).split("@")[0] + ip("route", pid=pid) + ip("-br", "addr", pid=pid)
    settings = [(IPV4 / name).read_text() for name in ("br-drift/route_localnet", "uplink/forwarding")]
    gate = subprocess.run(["tc", "filter", "show", "dev", port(), "ingress"], capture_output=True, text=True).stdout
    number = ip("-o", "link", "show", "dev", "eth0", pid=pid).partition(":")[0]
    pinned = os.stat(pin(stack)).st_ino == os.stat(f"/proc/{pid}/ns/net").st_ino
    master = "br-drift" in ip("link", "show", "dev", port())
    words = (listing + inside).replace(f"eth0@if{number}", "eth0").split()
    words = [word.partition("@")[0] for word in words if word not in ("UNKNOWN", "onlink")]
    return words, settings, len(gate.splitlines()) > 1, pinned, master


def process(stack):
    (found,) = (stack.home / "run/stacks").glob("*/containers/*/state.json")
    return json.loads(found.read_text())["pid"]


def try_state(stack, pid):
    try:
        return state(stack, pid)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def hear(events, said, lost):
    """The first line of the events in which it is said."""
    heard = []
    while select.select([events.stdout], [], [], 60)[0]:
        heard.append(events.stdout.readline().decode())
        if said in heard[-1]:
            return heard[-1]
    return pytest.fail(f"{lost}: not told, but {heard}")


def test_what_others_change_is_restored_and_reported(running):
    pid = process(running)
    before = state(running, pid)
    with running.start("events", stdout=subprocess.PIPE, text=False, bufsize=0) as events:
        try:
            while not select.select([events.stdout], [], [], 0)[0]:  # until it listens
                nft("flush", "ruleset")
            for lost, (lose, said) in LOSSES.items():
                # What goes on to be applied after the last loss restores a new one without a word.
                running.run("up", "-d")
                lose(running, pid)
                assert "network" in hear(events, said, lost)
                assert eventually(lambda: try_state(running, pid) == before), lost
        finally:
            events.terminate()
    assert process(running) == pid


def test_plan_and_up_see_it_without_a_supervisor(running):
    pid = process(running)
    before = state(running, pid)
    for victim in ("fork server", "supervisor"):
        for found in find(running, victim):
            os.kill(found, 9)
    ip("addr", "flush", "dev", "eth0", pid=pid)
    planned = running.run("plan", code=None)
    assert "the address" in planned.stdout or state(running, pid) == before, planned.stdout
    running.run("up", "-d")
    assert state(running, pid) == before
