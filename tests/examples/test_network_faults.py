"""Networks of real stacks that ask for more than there is, or for the same."""

from __future__ import annotations

from tests.examples.conftest import free_port, needs_containers
from tests.examples.test_changing_networks import identity

pytestmark = needs_containers

SLEEP = 'image: "rootfs:BUSYBOX", command: [sleep, infinity], stop_signal: SIGKILL'

FULL = f"""
services:
  many: {{{SLEEP}, networks: [small], scale: 3}}
  other: {{{SLEEP}}}
networks:
  small: {{ipam: {{config: [{{subnet: 10.66.7.0/30}}]}}}}
"""

RACING = f"""
services:
  web: {{{SLEEP}, ports: ["127.0.0.1:PORT:80"]}}
  db: {{{SLEEP}, networks: [fixed]}}
networks:
  fixed: {{ipam: {{config: [{{subnet: 10.66.8.0/24}}]}}}}
"""

EXCHANGED = f"""
services:
  a: {{{SLEEP}, networks: {{lan: {{ipv4_address: 10.66.9.A}}}}}}
  b: {{{SLEEP}, networks: {{lan: {{ipv4_address: 10.66.9.B}}}}}}
networks:
  lan: {{ipam: {{config: [{{subnet: 10.66.9.0/24}}]}}}}
"""


def states(stack) -> list[str]:
    """Of all containers, not by service."""
    return sorted(stack.run("ps", "-a", "--format", "{{.State}}").stdout.split())


def test_a_full_subnet_is_named_and_all_else_runs(write_stack):
    stack = write_stack(FULL)
    told = stack.run("up", "-d", code=1).stderr
    assert told.count("network stack_small: no address of the 1 in 10.66.7.0/30 is free") == 2
    assert "ipam: {config: [{subnet: 10.66.7.0/26}]}" in told
    assert states(stack) == ["created", "created", "running", "running"]
    stack.write(FULL.replace("10.66.7.0/30", "10.66.7.0/26"))
    stack.run("up", "-d")
    assert states(stack) == ["running"] * 4


def test_of_two_stacks_that_start_at_once_one_gets_the_port_and_one_the_subnet(write_stack):
    text = RACING.replace("PORT", str(free_port()))
    stacks = [write_stack(text, name=name) for name in ("first", "second")]
    started = [stack.start("up", "-d", stderr=-1, text=True) for stack in stacks]
    told = [process.communicate(timeout=100)[1] for process in started]
    states = [stack.states() for stack in stacks]
    for service, said in (("web", "is already in use by container"), ("db", "overlaps 10.66.8.0/24")):
        assert sorted(state.get(service, "") == "running" for state in states) == [False, True], states
        loser = states[0].get(service) == "running"
        assert said in told[loser]
        assert ("first", "second")[not loser] in told[loser]


def test_two_services_exchange_their_addresses_and_keep_running(write_stack):
    stack = write_stack(EXCHANGED.replace(".A", ".10").replace(".B", ".11"))
    stack.run("up", "-d")
    before = identity(stack, "a"), identity(stack, "b")
    stack.write(EXCHANGED.replace(".A", ".11").replace(".B", ".10"))
    stack.run("up", "-d")
    assert (identity(stack, "a"), identity(stack, "b")) == before
    assert "10.66.9.11/24" in stack.run("exec", "-T", "a", "ip", "addr").stdout
    assert "10.66.9.10/24" in stack.run("exec", "-T", "b", "ip", "addr").stdout
    assert stack.run("plan").returncode == 0
