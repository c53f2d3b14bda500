"""A stack whose networks have IPv6, from the file to the containers."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.driver.local.net.conftest import own_network
from tests.examples.conftest import eventually, needs_containers

pytestmark = [*needs_containers, pytest.mark.timeout(120)]

STACK = """
services:
  web:
    image: "rootfs:/"
    command: [python3, -m, http.server, "80", --bind, "::", --directory, /srv]
    stop_signal: SIGKILL
    ports: ["8080:80", "[::]:8081:80"]
    networks: {both: {ipv6_address: "fd12:3456::80"}}
    extra_hosts: ["elsewhere=2001:db8::7"]
  plain: {image: "rootfs:/", command: [sleep, infinity], stop_signal: SIGKILL, networks: [both, six], init: true}
  only: {image: "rootfs:/", command: [sleep, infinity], stop_signal: SIGKILL, networks: [six], init: true}
networks:
  both: {enable_ipv6: true, ipam: {config: [{subnet: "fd12:3456::/64"}]}}
  six: {enable_ipv4: false, enable_ipv6: true}
"""


@pytest.fixture(autouse=True)
def machine():
    with own_network():
        yield


def ahosts(stack, service, database, name):
    done = stack.run("exec", "-T", service, "getent", database, name, code=None)
    return {line.split()[0] for line in done.stdout.splitlines()}


def answers(address):
    script = f"import urllib.request; urllib.request.urlopen('http://{address}/', timeout=5)"
    return subprocess.run(["python3", "-c", script], check=False, capture_output=True).returncode == 0


def test_a_stack_with_ipv6(write_stack):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    assert stack.run("port", "web").stdout.splitlines() == [
        "80/tcp -> 0.0.0.0:8080",
        "80/tcp -> [::]:8080",
        "80/tcp -> [::]:8081",
    ]
    assert "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp" in stack.run("ps").stdout
    assert eventually(lambda: answers("127.0.0.1:8080"))
    assert ahosts(stack, "plain", "ahostsv6", "web") == {"fd12:3456::80"}
    assert len(ahosts(stack, "plain", "ahostsv4", "web")) == 1
    (only,) = ahosts(stack, "plain", "ahostsv6", "only")
    assert ahosts(stack, "plain", "ahostsv4", "only") == set()
    assert "stack-web-1.stack_both" in stack.run("exec", "-T", "plain", "getent", "hosts", "fd12:3456::80").stdout
    # The name server of a container without IPv4 answers, too.
    assert only in ahosts(stack, "only", "ahostsv6", "only")
    assert len(ahosts(stack, "only", "ahostsv6", "plain")) == 1
    assert "2001:db8::7\telsewhere" in stack.run("exec", "-T", "web", "cat", "/etc/hosts").stdout

    shown = json.loads(stack.run("network", "inspect", "stack_six").stdout)[0]
    assert (shown["EnableIPv4"], shown["EnableIPv6"]) == (False, True)
    assert {member["IPv6Address"].endswith("/64") for member in shown["Containers"].values()} == {True}
    listed = stack.run("network", "ls", "--format", "{{.Name}} {{.IPv4}} {{.IPv6}}").stdout
    assert sorted(listed.splitlines()) == ["stack_both true true", "stack_six false true"]

    again = stack.run("plan").stdout
    assert "nothing to do" in again.lower(), again
    stack.run("restart", "web")
    assert len(stack.run("port", "web").stdout.splitlines()) == 3
    stack.run("down")
    left = subprocess.run(["ip", "-6", "route"], capture_output=True, text=True, check=True).stdout
    assert left == ""
