"""Real bridges, namespaces and rules, on a host that the test made."""

from __future__ import annotations

import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from orchestra.driver.local.net import ipam, lease_file, link, network
from orchestra.errors import FatalError, StillInUse, TemporaryError
from orchestra.home import find_home
from orchestra.linux.network import netlink
from orchestra.linux.network.namespace import inside
from orchestra.linux.network.netlink import Netlink
from orchestra.model.desired import NetworkSpec
from orchestra.model.names import NetworkName

from .conftest import CLONE_NEWNET, libc, needs_network

pytestmark = needs_network


def test_a_subnet_that_the_host_uses_is_refused_by_name(world):
    world.outside("lan", "192.168.77")
    with pytest.raises(FatalError, match=r"192\.168\.77\.0/24, the network of the host's address 192\.168\.77\.1"):
        world.network(subnet="192.168.0.0/16")
    assert world.interfaces() == {"lan"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"driver_options": {"com.example": "1"}}, "driver option com.example is not supported"),
        ({"driver_options": {"com.docker.network.driver.mtu": "big"}}, "mtu big is not a number"),
        ({"driver_options": {"com.docker.network.bridge.enable_icc": "maybe"}}, "enable_icc maybe is neither true nor"),
        ({"driver_options": {"com.docker.network.host_ipv4": "here"}}, "host_ipv4 here is not an IPv4 address"),
        ({"driver_options": {"com.docker.network.container_iface_prefix": "a/b"}}, "prefix a/b is not made of at most"),
        ({"subnet": "10.0.0.1/24"}, "is not an IPv4 subnet"),
        ({"external": True}, "is declared as external, but does not exist"),
        ({"name": "a b"}, "invalid network name"),
    ],
)
def test_a_network_that_cannot_be_made_is_refused_and_leaves_nothing(world, more, message):
    with pytest.raises(FatalError, match=message):
        world.network(**more)
    assert world.interfaces() == set()
    assert lease_file.load(world.home).networks == {}


def test_options_of_a_network_are_applied(world):
    options = {
        "com.docker.network.bridge.name": "mybridge",
        "com.docker.network.driver.mtu": "1400",
        "com.docker.network.bridge.enable_ip_masquerade": "false",
    }
    world.network(driver_options=options)
    web = world.attach("web")
    assert "mybridge" in world.interfaces()
    mtu = inside(web.namespace_path, subprocess.check_output, ["ip", "link", "show", "eth0"], text=True)
    assert "mtu 1400" in mtu
    network.apply(world.home, "s")
    assert "masquerade" in world.ruleset()  # still for hairpin
    assert "oifname != " not in world.ruleset()


@pytest.mark.parametrize(("containers", "prefix"), [(0, 24), (100, 24), (500, 22), (10_000, 17), (10_000_000, 9)])
def test_a_leased_subnet_has_room_for_what_the_file_declares(containers, prefix):
    subnet = ipam.choose_subnet((), Random(1), containers)
    assert (subnet.prefixlen, subnet.subnet_of(ipam.POOL)) == (prefix, True)


def test_a_pool_without_a_free_subnet_says_so():
    with pytest.raises(
        FatalError, match=r"no subnet of the size /24 in 10\.128\.0\.0/9 is free: the host's routes use"
    ):
        ipam.choose_subnet([ipam.POOL], Random(1))


def test_creating_twice_changes_nothing_unless_the_definition_changed(world):
    world.network(config_hash="1")
    before = lease_file.load(world.home)
    world.network(config_hash="1")
    assert lease_file.load(world.home) == before
    world.network(config_hash="2", subnet="10.99.0.0/24")
    assert world.gateway() == "10.99.0.1"
    assert [(found.name, found.config_hash) for found in network.observe_networks(world.home, "s")] == [
        ("s_default", "2")
    ]


def test_rules_that_are_lost_do_not_hide_what_else_was_changed(world):
    world.network()
    world.attach("web")
    network.apply(world.home, "s")
    bridge = lease_file.load(world.home).networks["s_default"].bridge
    subprocess.run(["ip", "link", "set", bridge, "down"], check=True)
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    (found,) = network.observe_networks(world.home, "s")
    assert found.loss == f"its firewall rules were removed or changed, its bridge {bridge} was turned off"


def test_a_network_whose_bridge_is_gone_is_not_observed_and_is_made_again(world):
    world.network()
    before = lease_file.load(world.home).networks["s_default"]
    with Netlink() as host:
        host.send(netlink.delete_link(before.bridge))
    assert network.observe_networks(world.home, "s") == ()
    world.network()
    assert lease_file.load(world.home).networks["s_default"] == before
    assert len(network.observe_networks(world.home, "s")) == 1


@pytest.mark.parametrize(
    ("module", "before"),
    [(link, "gate_of_bridge"), (link, "bridge_settings"), (netlink, "set_no_link_local"), (netlink, "set_up")],
)
def test_a_bridge_that_is_removed_while_it_is_being_made_is_worth_another_try(world, monkeypatch, module, before):
    usual = getattr(module, before)

    def remove_first(*arguments, **more):
        subprocess.run(["ip", "link", "del", "orc-race"], check=True)
        return usual(*arguments, **more)

    options = {"com.docker.network.bridge.name": "orc-race"}
    monkeypatch.setattr(module, before, remove_first)
    with pytest.raises(TemporaryError, match="network s_default: "):
        world.network(driver_options=options)
    monkeypatch.undo()
    world.network(driver_options=options)
    assert "orc-race" in world.interfaces()


def test_a_network_in_use_is_not_removed(world):
    world.network()
    world.network(stack="other", external=True)
    world.attach("web", stack="other")
    with pytest.raises(StillInUse, match="still in use by container"):
        network.remove_network(world.home, "s", "s_default")
    assert [found.name for found in network.observe_networks(world.home, "s")] == ["s_default"]


def test_a_network_of_another_stack_is_neither_taken_nor_removed(world):
    world.network("shared")
    with pytest.raises(FatalError, match="belongs to stack s"):
        world.network("shared", stack="other")
    network.remove_network(world.home, "other", "shared")
    assert network.observe_networks(world.home, "other") == ()
    assert network.observe_networks(world.home, "other", ("shared",))[0].external


def test_two_homes_that_race_for_a_subnet_never_both_get_it(world):
    homes = [find_home({"ORCHESTRA_HOME": str(world.path / name)}, 0) for name in ("one", "two")]
    spec = NetworkSpec("n", NetworkName("s_n"), subnet="10.44.0.0/24")
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    together = threading.Barrier(2)

    def take(home):
        libc.setns(before, CLONE_NEWNET)
        together.wait()
        try:
            network.create_network(home, "s", spec)
        except FatalError as error:
            return error.message
        return ""

    with ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            said = list(pool.map(take, homes))
            assert said.count("") == 1, said
            assert "overlaps 10.44.0.0/24, the network of the host's address 10.44.0.1" in "".join(said)
            assert len(world.interfaces()) == 1
            for home in homes:
                network.remove_network(home, "s", "s_n")
    os.close(before)
    assert world.interfaces() == set()
