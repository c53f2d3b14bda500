"""Containers of real stacks change their networks while their programs run."""

from __future__ import annotations

import json
import signal
import urllib.request

from orchestra.linux.process import identify, open_pidfd
from tests.examples.conftest import eventually, free_port, needs_containers
from tests.examples.test_killed_in_the_middle import find

pytestmark = needs_containers

STACK = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [httpd, -f, -p, "80", -h, /etc]
    stop_signal: SIGKILL
    networks: {networks}
    ports: ["127.0.0.1:{port}:80"]
  db: {{image: "rootfs:BUSYBOX", command: [sleep, infinity], stop_signal: SIGKILL, networks: [back]}}
networks: {{front: {{}}, back: {{}}}}
"""
OTHER = """
services:
  far: {image: "rootfs:BUSYBOX", command: [sleep, infinity], stop_signal: SIGKILL}
networks:
  default: {enable_ipv6: true, ipam: {config: [{subnet: "fd66:7::/64"}]}}
"""
BY_HAND = [
    "--ip6",
    "fd66:7::9",
    "--link-local-ip",
    "fe80::9",
    "--driver-opt",
    "com.docker.network.endpoint.ifname=shop0",
]


def identity(stack, service: str = "web") -> tuple[str, str]:
    """The ID of the container, and when its first process began, in ticks."""
    began = stack.run("exec", "-T", service, "cut", "-d ", "-f22", "/proc/1/stat").stdout
    return stack.containers()[service]["ID"], began


def answers(stack, service: str, host: str) -> bool:
    """Whether the web server at ``host`` answers to another service."""
    return stack.run("exec", "-T", service, "wget", "-q", "-O-", f"http://{host}/hosts", code=None).returncode == 0


def networks_of(stack, service: str = "web") -> list[str]:
    return stack.containers()[service]["Networks"].split(",")


def test_a_container_moves_to_the_networks_of_the_file_and_keeps_running(write_stack):
    port = free_port()
    stack = write_stack(STACK.format(port=port, networks="[front]"))
    stack.run("up", "-d")
    before = identity(stack)
    assert not answers(stack, "db", "web")
    stack.write(STACK.format(port=port, networks="{front: {}, back: {aliases: [shop], gw_priority: 1}}"))
    plan = json.loads(stack.run("plan", "--format", "json", code=2).stdout)
    assert [action["verb"] for actions in plan["rounds"] for action in actions] == ["connect"]
    stack.run("up", "-d")
    assert answers(stack, "db", "shop")
    assert "dev eth1" in stack.run("exec", "-T", "web", "ip", "route", "show", "default").stdout
    stack.write(STACK.format(port=port, networks="{back: {aliases: [store]}}"))
    stack.run("up", "-d")
    assert answers(stack, "db", "store")
    assert not answers(stack, "db", "shop")
    own = stack.run("exec", "-T", "web", "cat", "/etc/hosts").stdout.splitlines()
    assert len([line for line in own if line.endswith("\tstack-web-1")]) == 1
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/hosts") as answer:
        assert answer.status == 200
    assert identity(stack) == before
    assert stack.run("plan", code=0).stdout == "nothing to do\n"


def test_what_is_done_by_hand_outlives_the_supervisor_and_is_undone_by_a_command_only(write_stack):
    other = write_stack(OTHER, name="other")
    stack = write_stack(STACK.format(port=free_port(), networks="[front]"))
    other.run("up", "-d")
    stack.run("up", "-d")
    before = identity(stack)
    refused = stack.run("network", "connect", "--link-local-ip", "fe80::9", "stack_back", "stack-web-1", code=1)
    assert "network stack_back has no IPv6 for fe80::9" in refused.stderr
    stack.run("network", "connect", "--alias", "shop", *BY_HAND, "other_default", "stack-web-1")
    shown = stack.run("exec", "-T", "web", "ip", "addr", "show", "shop0").stdout
    assert "fd66:7::9/64" in shown
    assert "fe80::9/64" in shown
    stack.run("network", "disconnect", "stack_front", "stack-web-1")
    assert answers(other, "far", "shop")
    (supervisor,) = find(stack, "supervisor")
    signal.pidfd_send_signal(open_pidfd(identify(supervisor)), signal.SIGKILL)
    assert eventually(lambda: find(stack, "supervisor") not in ([], [supervisor]))
    assert stack.run("exec", "-T", "db", "true").returncode == 0
    assert networks_of(stack) == ["other_default"]
    assert eventually(lambda: answers(other, "far", "shop"))
    stack.run("up", "-d")
    assert sorted(networks_of(stack)) == ["other_default", "stack_front"]
    assert identity(stack) == before
    refused = stack.run("network", "connect", "other_default", "stack-web-1", code=None)
    assert "is connected to network other_default already" in refused.stderr
    stack.run("up", "-d", "--force-recreate", "web")
    assert networks_of(stack) == ["stack_front"]
