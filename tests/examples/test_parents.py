"""A real stack on the network of an interface of this machine."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.driver.local.net.test_parents import needs
from tests.examples.conftest import free_port, needs_containers

pytestmark = [*needs_containers, needs("macvlan")]

STACK = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [httpd, -f, -p, "80", -h, /etc]
    stop_signal: SIGKILL
    networks: {lan: {ipv4_address: 192.168.78.80}}
    ports: ["PORT:80"]
  client:
    image: "rootfs:BUSYBOX"
    command: [sleep, infinity]
    stop_signal: SIGKILL
    networks: [lan]
networks:
  lan:
    driver: macvlan
    driver_opts: {parent: PARENT}
    ipam: {config: [{subnet: 192.168.78.0/24, gateway: 192.168.78.1, ip_range: 192.168.78.128/25}]}
"""


@pytest.fixture
def parent():
    """An interface of the machine, whose wire ends on the machine, too."""
    name, other = (f"wire{end}{os.getpid() % 10**6}" for end in "ab")
    subprocess.run(["ip", "link", "add", name, "type", "veth", "peer", "name", other], check=True)
    for each in (name, other):
        subprocess.run(["ip", "link", "set", each, "up"], check=True)
    yield name
    subprocess.run(["ip", "link", "delete", name], check=True)


def test_a_stack_on_the_network_of_a_parent(write_stack, parent):
    stack = write_stack(STACK.replace("PARENT", parent).replace("PORT", str(free_port())))
    told = stack.run("up", "-d").stderr
    assert "a network with the driver macvlan publishes no ports" in told
    fetched = stack.run("exec", "-T", "client", "wget", "-q", "-O-", "http://web/hosts").stdout
    assert "192.168.78.80\tstack-web-1" in fetched
    assert stack.containers()["client"]["Networks"] == "stack_lan"
    assert stack.run("network", "ls", "--filter", "driver=macvlan", "--format", "{{.Name}}").stdout == "stack_lan\n"
    assert stack.run("plan", code=0).returncode == 0
    stack.run("down")
    assert stack.run("network", "ls", "-q").stdout == ""


def test_a_parent_that_does_not_exist_is_refused_with_its_place(write_stack):
    stack = write_stack(STACK.replace("PARENT", "nic7").replace("PORT", str(free_port())))
    told = stack.run("up", "-d", code=1).stderr
    assert "there is no interface nic7 to be its parent" in told
    assert "compose.yaml:15:3: " in told.partition("nic7")[0].rpartition("\n")[2]
