"""Networks made by hand, which several stacks share."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from orchestra.stacks.standalone_network import owner_of
from tests.examples.conftest import eventually, needs_containers
from tests.examples.test_reboot import lose_what_a_reboot_loses

pytestmark = needs_containers

SERVICE = '{image: "rootfs:BUSYBOX", command: [sleep, infinity], stop_signal: SIGKILL, networks: [shared]}'
TEXT = f"services: {{SERVICE: {SERVICE}}}\nnetworks: {{shared: {{external: true, name: Shared.One}}}}\n"


@pytest.fixture
def stacks(write_stack):
    """Two stacks that join the same network, of which none declares it."""
    return [write_stack(TEXT.replace("SERVICE", name), name=name) for name in ("front", "back")]


def test_a_network_made_by_hand_is_shared_survives_a_reboot_and_is_removed(stacks):
    front, back = stacks
    told = front.run("up", "-d", code=1).stderr
    assert "run orchestra network create Shared.One, or take `external` away" in told

    made = front.run(
        *("network", "create", "--subnet", "10.77.5.0/24", "--gateway", "10.77.5.9"),
        *("--aux-address", "router=10.77.5.1", "--label", "team=$one", "Shared.One"),
    ).stdout
    (found,) = json.loads(front.run("network", "inspect", made.strip()).stdout)
    assert found["IPAM"]["Config"] == [{"Subnet": "10.77.5.0/24", "Gateway": "10.77.5.9"}]
    assert found["Labels"] == {"team": "$one"}
    assert "already exists" in front.run("network", "create", "Shared.One", code=1).stderr

    for stack in stacks:
        stack.run("up", "-d")
    assert "10.77.5." in front.run("exec", "-T", "front", "nslookup", "back").stdout.partition("Name:")[2]
    assert front.run("ls", "--format", "{{.Name}}").stdout.split() == ["back", "front"]
    assert "is in use by container" in front.run("network", "rm", "Shared.One", code=1).stderr
    assert "Nothing to remove" in front.run("network", "prune", "-f").stdout

    owner = SimpleNamespace(home=front.home, file=front.home / owner_of("Shared.One") / "compose.yaml")
    lose_what_a_reboot_loses(front, back, owner)
    assert "already exists" in front.run("network", "create", "Shared.One", code=1).stderr
    front.run("up", "-d")
    (found,) = json.loads(front.run("network", "inspect", "Shared.One").stdout)
    assert found["IPAM"]["Config"] == [{"Subnet": "10.77.5.0/24", "Gateway": "10.77.5.9"}]

    for stack in stacks:
        stack.run("down")
    assert front.run("network", "rm", "Shared.One").stdout == "Shared.One\n"
    assert json.loads(front.run("network", "ls", "--format", "json").stdout or "[]") == []
    eventually(lambda: not list(front.home.glob("data/stacks/*")) and not list(front.home.glob("run/stacks/*")))
