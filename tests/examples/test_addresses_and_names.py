"""Static addresses and host names of real stacks."""

from __future__ import annotations

import os

import pytest

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.timeout(120),
]

STATIC = """
name: stack
services:
  dyn: {image: "rootfs:/", command: [sleep, "1000"], stop_grace_period: 0s, networks: [lan]}
  fixed:
    image: "rootfs:/"
    command: [sleep, "1000"]
    stop_grace_period: 0s
    depends_on: [dyn]
    networks: {lan: {ipv4_address: 10.211.9.2}}
networks: {lan: {ipam: {config: [{subnet: 10.211.9.0/24}]}}}
"""
NAMES = """
services:
  broker: {image: "rootfs:/", hostname: kafka-one, command: [sleep, "1000"], stop_grace_period: 0s}
  short: {image: "rootfs:/", hostname: mail, command: [sleep, "1000"], stop_grace_period: 0s}
  fqdn: {image: "rootfs:/", hostname: mail.example.net, command: [sleep, "1000"], stop_grace_period: 0s}
  client: {image: "rootfs:/", command: [sleep, "1000"], stop_grace_period: 0s}
"""


def hosts(stack, service, name):
    return stack.run("exec", "-T", service, "getent", "ahostsv4", name).stdout.split()[0]


def own(stack, service):
    return stack.run("exec", "-T", service, "hostname", "-I").stdout.split()


def test_static_address_reserved(write_stack):
    stack = write_stack(STATIC)
    for _ in range(3):
        stack.run("up", "-d")
        (dynamic,) = own(stack, "dyn")
        assert own(stack, "fixed") == ["10.211.9.2"]
        assert dynamic not in ("10.211.9.1", "10.211.9.2")
        stack.run("down", "-t", "0")


def test_hostname_resolves(write_stack):
    stack = write_stack(NAMES)
    stack.run("up", "-d")
    for name, service in (
        ("broker", "broker"),
        ("kafka-one", "broker"),
        ("mail", "short"),
        ("mail.example.net", "fqdn"),
    ):
        assert [hosts(stack, "client", name)] == own(stack, service)
