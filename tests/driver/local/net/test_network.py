"""Real bridges, namespaces and rules, on a host that the test made."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from orchestra.driver.local.net import ipam, lease_file, leftovers, link, network
from orchestra.driver.local.net.endpoint import pinned_ids
from orchestra.driver.local.net.leftovers import Kind, Leftover, find_leftovers, remove_leftover
from orchestra.driver.local.record import ContainerRecord, store_record
from orchestra.errors import FatalError, StillInUse, TemporaryError
from orchestra.home import find_home
from orchestra.linux.network import netlink
from orchestra.linux.network.namespace import inside, is_pinned
from orchestra.linux.network.netlink import Netlink
from orchestra.model.desired import Endpoint, NetworkSpec, Port
from orchestra.model.names import NetworkName
from orchestra.model.observed import Image
from orchestra.model.sharing import Bare, Host, OfContainer, OfService
from orchestra.plan.predict import created
from orchestra.record import replace

from .conftest import CLONE_NEWNET, World, eventually, libc, needs_network

pytestmark = needs_network


def lives(_stack):
    return True


def links_inside(attachment):
    with inside(attachment.namespace_path, Netlink) as there:
        return {found.name: found for found in there.links()}


def sysctl(name, key="forwarding"):
    return link.get_sysctl(name, key)


def test_two_containers_on_one_network_reach_each_other(world):
    world.network()
    web, db = world.attach("web"), world.attach("db")
    world.serve(db.namespace_path, 5432)
    assert world.ask(web.namespace_path, db.addresses["s_default"], 5432) == f"hello {web.addresses['s_default']}"


def test_a_container_reaches_itself_by_loopback_and_by_its_own_address(world):
    world.network()
    web = world.attach("web")
    world.serve(web.namespace_path, 80)
    assert world.ask(web.namespace_path, "127.0.0.1", 80).startswith("hello")
    assert world.ask(web.namespace_path, web.addresses["s_default"], 80).startswith("hello")


def test_networks_are_isolated_from_each_other(world):
    world.network("s_front")
    world.network("s_back")
    network.apply(world.home, world.stack)
    web, db = world.attach("web", "s_front"), world.attach("db", "s_back")
    world.serve(db.namespace_path, 5432)
    assert world.ask(None, db.addresses["s_back"], 5432).startswith("hello")
    assert world.cannot_reach(web.namespace_path, db.addresses["s_back"], 5432)


def test_networks_of_different_stacks_are_isolated_from_each_other(world):
    world.network("s_default")
    world.network("t_default", stack="t")
    network.apply(world.home, "s")
    network.apply(world.home, "t")
    mine, theirs = world.attach("web", "s_default"), world.attach("db", "t_default", stack="t")
    world.serve(theirs.namespace_path, 5432)
    assert world.cannot_reach(mine.namespace_path, theirs.addresses["t_default"], 5432)


def test_a_published_port_answers_on_loopback_and_on_other_addresses(world):
    world.network()
    outside = world.outside("lan", "192.168.77")
    web = world.attach("web", ports=[(80, 8080)])
    world.serve(web.namespace_path, 80)
    network.apply(world.home, world.stack)
    assert world.ask(None, "127.0.0.1", 8080).startswith("hello")
    assert world.ask(None, "192.168.77.1", 8080).startswith("hello")
    assert world.ask(outside, "192.168.77.1", 8080) == "hello 192.168.77.2"


def test_a_port_published_on_one_address_answers_there_only(world):
    world.network()
    outside = world.outside("lan", "192.168.77")
    web = world.attach("web", ports=[(Port(80, 8080, host_ip="127.0.0.1"), 8080)])
    world.serve(web.namespace_path, 80)
    network.apply(world.home, world.stack)
    assert world.ask(None, "127.0.0.1", 8080).startswith("hello")
    assert world.cannot_reach(outside, "192.168.77.1", 8080)


def test_an_unpublished_port_is_closed_to_the_outside(world):
    world.network()
    outside = world.outside("lan", "192.168.77", route_to_host=True)
    web = world.attach("web", ports=[(80, 8080)])
    world.serve(web.namespace_path, 80)
    world.serve(web.namespace_path, 81)
    network.apply(world.home, world.stack)
    assert world.ask(outside, "192.168.77.1", 8080).startswith("hello")
    assert world.cannot_reach(outside, web.addresses["s_default"], 81)
    assert world.cannot_reach(outside, web.addresses["s_default"], 80)


def test_containers_reach_published_ports_through_the_host(world):
    """Hairpin: from the container itself, from a neighbour, and from another network."""
    world.network("s_front")
    world.network("s_back")
    world.outside("lan", "192.168.77")
    web, neighbour = world.attach("web", "s_front", ports=[(80, 8080)]), world.attach("near", "s_front")
    far = world.attach("far", "s_back")
    world.serve(web.namespace_path, 80)
    network.apply(world.home, world.stack)
    for client in (web, neighbour, far):
        assert world.ask(client.namespace_path, "192.168.77.1", 8080).startswith("hello")


def test_containers_reach_the_outside_under_the_hosts_address(world):
    world.network()
    internet = world.outside("wan", "203.0.113")
    network.apply(world.home, world.stack)
    web = world.attach("web")
    world.serve(internet, 443)
    assert world.ask(web.namespace_path, "203.0.113.2", 443) == "hello 203.0.113.1"


def test_an_internal_network_has_no_way_out_or_in(world):
    world.network(internal=True)
    internet = world.outside("wan", "203.0.113", route_to_host=True)
    web, db = world.attach("web", ports=[(80, 8080)]), world.attach("db")
    network.apply(world.home, world.stack)
    world.serve(internet, 443)
    world.serve(web.namespace_path, 80)
    assert world.ask(db.namespace_path, web.addresses["s_default"], 80).startswith("hello")
    assert world.cannot_reach(web.namespace_path, "203.0.113.2", 443)
    with inside(web.namespace_path, Netlink) as own:
        gateway = str(lease_file.load(world.home).networks["s_default"].gateway)
        own.send(netlink.set_default_route(gateway, own.link("eth0").number))
    assert world.cannot_reach(web.namespace_path, "203.0.113.2", 443)
    assert world.cannot_reach(internet, web.addresses["s_default"], 80)
    assert world.cannot_reach(internet, "203.0.113.1", 8080)


def test_containers_cannot_reach_what_listens_on_the_hosts_loopback(world):
    world.network()
    network.apply(world.home, world.stack)
    web = world.attach("web")
    world.serve(None, 6000, host="127.0.0.1")
    with inside(web.namespace_path, Netlink) as own:
        # What a container with CAP_NET_ADMIN may do: send packets for 127.0.0.1 through its gateway.
        own.send(netlink.delete_link("lo") if own.link("lo") is None else netlink.set_up("lo"))
    script = f"ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1/32 via {gateway(world)} dev eth0"
    inside(web.namespace_path, subprocess.run, ["sh", "-c", script], check=True)
    inside(web.namespace_path, Path("/proc/sys/net/ipv4/conf/eth0/route_localnet").write_text, "1")
    assert world.ask(None, "127.0.0.1", 6000).startswith("hello")
    assert world.cannot_reach(web.namespace_path, "127.0.0.1", 6000)


def gateway(world, name="s_default"):
    return lease_file.load(world.home).networks[name].gateway


def test_forwarding_is_turned_on_for_containers_only_and_off_again_afterwards(world):
    lan = world.outside("lan", "192.168.77", route_to_host=True)
    wan = world.outside("wan", "203.0.113", route_to_host=True)
    world.serve(wan, 443)
    world.network("s_front")
    world.network("s_back")
    network.apply(world.home, world.stack)
    assert (sysctl("lan"), sysctl("wan"), sysctl("all")) == (1, 1, 0)
    assert world.cannot_reach(lan, "203.0.113.2", 443)  # the host has not become a router
    network.remove_network(world.home, world.stack, "s_front")
    assert (sysctl("lan"), sysctl("wan")) == (1, 1)
    network.remove_network(world.home, world.stack, "s_back")
    assert (sysctl("lan"), sysctl("wan"), sysctl("all")) == (0, 0, 0)


def test_forwarding_stays_while_another_home_needs_it(world, tmp_path):
    world.outside("lan", "192.168.77")
    other = World(find_home({"ORCHESTRA_HOME": str(tmp_path / "other")}, 0), tmp_path)
    world.network()
    other.network()
    network.remove_network(world.home, "s", "s_default")
    assert sysctl("lan") == 1
    network.remove_network(other.home, "s", "s_default")
    assert sysctl("lan") == 0


def test_a_router_stays_one(world):
    world.outside("lan", "192.168.77")
    link.set_sysctl("all", "forwarding", 1)
    world.network()
    network.remove_network(world.home, "s", "s_default")
    assert (sysctl("lan"), sysctl("all")) == (1, 1)


def test_an_interface_that_appears_later_forwards_after_the_next_apply(world):
    world.network()
    outside = world.outside("late", "192.168.77")
    web = world.attach("web", ports=[(80, 8080)])
    world.serve(web.namespace_path, 80)
    network.apply(world.home, world.stack)
    assert world.ask(outside, "192.168.77.1", 8080).startswith("hello")


def test_a_container_has_an_interface_per_network_in_order_of_priority(world):
    world.network("s_a")
    world.network("s_b", internal=True)
    endpoints = (Endpoint("s_a"), Endpoint("s_b", priority=5, mac_address="02:11:22:33:44:55", aliases=("primary",)))
    web = world.attach("web", *endpoints)
    assert [(interface.network, interface.device) for interface in web.interfaces] == [("s_b", "eth0"), ("s_a", "eth1")]
    assert web.interfaces[0].mac_address == "02:11:22:33:44:55"
    assert "primary" in web.interfaces[0].names
    with inside(web.namespace_path, Netlink) as own:
        (default,) = [route for route in own.routes() if not route.prefix]
        assert (default.gateway, default.link) == (gateway(world, "s_a"), own.link("eth1").number)


def test_an_endpoint_is_as_the_file_says(world):
    """The gateway with the highest priority, names, further addresses and settings of interfaces."""
    world.network("s_a")
    world.network("s_b")
    settings = (("net/ipv4/conf/IFNAME/log_martians", "1"),)
    web = world.attach(
        "web",
        Endpoint("s_a", priority=9, interface_name="eth0"),
        Endpoint("s_b", gateway_priority=1, link_local_addresses=("169.254.7.7",), settings=settings),
        ports=[(80, 8080)],
    )
    assert [(interface.network, interface.device) for interface in web.interfaces] == [("s_a", "eth0"), ("s_b", "eth1")]
    with inside(web.namespace_path, Netlink) as own:
        (default,) = [route for route in own.routes() if not route.prefix]
        assert default.gateway == gateway(world, "s_b")
        assert "169.254.7.7" in {address.address for address in own.addresses()}
    assert inside(web.namespace_path, Path("/proc/sys/net/ipv4/conf/eth1/log_martians").read_text) == "1\n"
    world.serve(web.namespace_path, 80)
    network.apply(world.home, "s")
    assert f"dnat to {web.addresses['s_b']}:80" in world.ruleset()
    assert world.ask(None, "127.0.0.1", 8080).startswith("hello")


def test_a_fixed_address_and_subnet_are_honoured(world):
    world.network(subnet="10.77.0.0/16", gateway="10.77.0.254")
    web = world.attach("web", Endpoint("s_default", ipv4_address="10.77.5.5"))
    assert web.addresses == {"s_default": "10.77.5.5"}
    assert gateway(world) == "10.77.0.254"
    with pytest.raises(FatalError, match=r"ipv4_address 10.77.5.5 is leased to another container"):
        world.attach("other", Endpoint("s_default", ipv4_address="10.77.5.5"))


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


def test_containers_of_a_network_without_connections_between_them_reach_only_published_ports(world):
    world.network(driver_options={"com.docker.network.bridge.enable_icc": "false"})
    internet = world.outside("wan", "203.0.113")
    world.serve(internet, 443)
    web, near = world.attach("web", ports=[(80, 8080)]), world.attach("near")
    network.apply(world.home, "s")
    world.serve(web.namespace_path, 80)
    address = web.addresses["s_default"]
    assert world.cannot_reach(near.namespace_path, address, 80)
    # By way of the host, as a container with CAP_NET_ADMIN may try.
    script = f"ip route add {address}/32 via {gateway(world)} dev eth0"
    inside(near.namespace_path, subprocess.run, ["sh", "-c", script], check=True)
    assert world.cannot_reach(near.namespace_path, address, 80)
    assert world.ask(near.namespace_path, "203.0.113.1", 8080).startswith("hello")
    assert world.ask(near.namespace_path, "203.0.113.2", 443).startswith("hello")
    assert world.ask(None, address, 80).startswith("hello")


def test_packets_leave_with_the_address_that_the_network_names(world):
    internet = world.outside("wan", "203.0.113")
    with Netlink() as host:
        host.send(netlink.add_address(host.link("wan").number, "203.0.113.9", 24))
    world.serve(internet, 443)
    world.network(
        driver_options={
            "com.docker.network.host_ipv4": "203.0.113.9",
            "com.docker.network.container_iface_prefix": "if",
        }
    )
    network.apply(world.home, "s")
    web = world.attach("web")
    assert world.ask(web.namespace_path, "203.0.113.2", 443) == "hello 203.0.113.9"
    assert [interface.device for interface in web.interfaces] == ["if0"]


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
    assert gateway(world) == "10.99.0.1"
    assert [(found.name, found.config_hash) for found in network.observe_networks(world.home, "s")] == [
        ("s_default", "2")
    ]


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


def test_attaching_twice_changes_nothing(world):
    world.network()
    first = world.attach("web")
    before = links_inside(first)
    assert world.attach("web") == first
    assert links_inside(first) == before
    assert len(world.interfaces()) == 2


def test_an_attachment_that_was_interrupted_is_completed(world):
    world.network()
    web = world.attach("web")
    with inside(web.namespace_path, Netlink) as own:
        own.send(netlink.delete_link("eth0"))
    again = world.attach("web")
    assert again.addresses == web.addresses
    assert links_inside(again)["eth0"].up


def test_a_killed_process_leaves_nothing_that_the_next_does_not_complete(world):
    world.network()
    script = """
import sys
from orchestra.driver.local.net import network
from orchestra.home import Home
from orchestra.model.codec import decode
from orchestra.model.desired import ContainerSpec
import json
home = Home(*json.loads(sys.argv[1]))
spec = decode(ContainerSpec, json.loads(sys.argv[2]))
print("ready", flush=True)
network.attach(home, "s", spec, "id-" + spec.name, home.stack("s").container(spec.name))
print("done", flush=True)
"""
    spec = world.spec("web", "s_default")
    encoded = {"name": spec.name, "service": "web", "index": 1, "image": "", "config_hash": ""}
    encoded["endpoints"] = [{"network": "s_default"}]
    command = [sys.executable, "-c", script, json.dumps(list(world.home)), json.dumps(encoded)]
    for delay in (0.0, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            end = time.perf_counter() + delay
            while time.perf_counter() < end:
                pass
            process.send_signal(signal.SIGKILL)
        web = world.attach("web")
        assert links_inside(web)["eth0"].up
        assert lease_file.load(world.home).networks["s_default"].addresses == {
            web.container_id: web.addresses["s_default"]
        }
        world.detach(web)
        assert eventually(lambda: len(world.interfaces()) == 1)


def test_fifty_attachments_at_once_share_addresses_and_runs_of_nft(world, monkeypatch):
    from orchestra.driver.local.net import filter as rules

    transactions = []
    original = rules.apply_rules
    monkeypatch.setattr(rules, "apply_rules", lambda transaction: transactions.append(1) or original(transaction))
    world.network()

    def up(number):
        attachment = world.attach(f"w{number}", ports=[(80, 9000 + number)])
        network.apply(world.home, "s")
        return attachment

    with ThreadPoolExecutor(16) as pool:
        attachments = list(pool.map(up, range(50)))
    assert len({attachment.addresses["s_default"] for attachment in attachments}) == 50
    assert len(transactions) < 50
    assert all(f"dport {9000 + number} " in world.ruleset() for number in range(50))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(world.detach, attachments))
    network.remove_network(world.home, "s", "s_default")
    assert eventually(lambda: world.interfaces() == set())
    assert "orchestra" not in world.ruleset()
    assert not os.path.exists(world.home.network_namespaces)
    assert not [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(world.path) in line]


def test_detaching_frees_the_address_but_does_not_give_it_to_the_next(world):
    world.network()
    first = world.attach("web")
    world.detach(first)
    world.detach(first)
    assert lease_file.load(world.home).networks["s_default"].addresses == {}
    assert world.attach("web").addresses != first.addresses
    assert not is_pinned(first.namespace_path) or first.namespace_path.endswith("id-s-web-1")


def test_a_connection_that_cannot_be_closed_in_peace_keeps_no_interface(world):
    """One that still has something to deliver, to somebody who is gone, would live on in the namespace for minutes."""
    world.network()
    first = world.attach("web")
    before = world.interfaces()
    second = world.attach("db")
    (link_of_second,) = world.interfaces() - before
    world.serve(second.namespace_path, 7000)
    client = world.socket(first.namespace_path, socket.SOCK_STREAM)
    client.connect((second.addresses["s_default"], 7000))
    assert client.makefile("rb").read()  # or closing would be a reset, which waits for nobody
    subprocess.run(["ip", "link", "set", link_of_second, "down"], check=True)
    client.sendall(b"the last word")
    client.close()
    world.detach(first)
    (link_of_first,) = {name for name in before if name.startswith(link.VETH_PREFIX)}
    assert eventually(lambda: link_of_first not in world.interfaces())


def test_the_lease_of_a_container_that_is_gone_is_reclaimed(world):
    world.network(subnet="10.55.0.0/29", gateway="10.55.0.1")
    with lease_file.locked(world.home) as file:
        lease = file.leases.networks["s_default"]
        for number in range(5):
            lease = ipam.lease_address("s_default", lease, f"lost-{number}")
        file.leases = file.leases.with_network("s_default", lease)
    assert world.attach("web").addresses["s_default"].startswith("10.55.0.")


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


def test_a_container_without_networks_has_loopback_only(world):
    web = world.attach("web", network_mode=Bare())
    assert set(links_inside(web)) - {"lo"} == set()
    assert links_inside(web)["lo"].up
    assert web.addresses == {}


def test_a_container_on_the_hosts_network_has_no_namespace(world):
    web = world.attach("web", network_mode=Host())
    assert web.namespace_path is None
    assert not os.path.exists(f"{world.home.network_namespaces}/{web.container_id}")
    with pytest.raises(FatalError, match="ports cannot be published with network_mode host"):
        world.attach("other", network_mode=Host(), ports=[(80, 8080)])


def test_a_container_shares_the_network_of_a_service_or_container(world):
    world.network()
    with pytest.raises(TemporaryError, match="is not running yet"):
        world.attach("side", network_mode=OfService("web"))
    web = world.attach("web", ports=[(80, 8080)])
    side = world.attach("side", network_mode=OfService("web"))
    assert (side.namespace_path, side.hostname, side.hosts) == (web.namespace_path, web.hostname, web.hosts)
    other = world.attach("other", network_mode=OfContainer("s-web-1"), stack="t")
    assert other.namespace_path == web.namespace_path
    world.detach(side)
    assert is_pinned(web.namespace_path)


def test_a_container_waits_for_its_network(world):
    with pytest.raises(TemporaryError, match="network s_default does not exist yet"):
        world.attach("web")


def test_leftovers_are_found_and_removed(world):
    world.network()
    web = world.attach("web", ports=[(80, 8080)])
    network.apply(world.home, "s")
    assert find_leftovers(world.home, lives) == []
    found = find_leftovers(world.home, lambda _stack: False)
    assert Leftover(Kind.NAMESPACE, web.container_id) in found
    assert {item.kind for item in found} == set(Kind) - {Kind.ON_PARENT}
    for item in found:
        remove_leftover(world.home, item)
        remove_leftover(world.home, item)
    assert eventually(lambda: world.interfaces() == set())
    assert find_leftovers(world.home, lambda _stack: False) == []
    assert lease_file.load(world.home).networks == {}
    assert "orchestra" not in world.ruleset()


def test_what_is_made_while_leftovers_are_looked_for_is_none(world, monkeypatch):
    def make_and_look(home):
        world.network()
        world.attach("web")
        return pinned_ids(home)

    monkeypatch.setattr(leftovers, "pinned_ids", make_and_look)
    assert find_leftovers(world.home, lives) == []


def test_a_container_that_is_just_being_made_is_no_leftover(world):
    world.network()
    web = world.attach("web")
    directory = world.home.stack("s").container(web.container)
    os.unlink(f"{directory}/network.json")
    assert Leftover(Kind.NAMESPACE, web.container_id) in find_leftovers(world.home, lives)
    container = created(world.spec("web"), Image("web", ""), time.time(), {})
    store_record(directory, ContainerRecord(replace(container, id=web.container_id)))
    assert find_leftovers(world.home, lives) == []


def test_a_network_that_containers_of_a_living_stack_are_on_is_no_leftover(world):
    world.network()
    world.attach("db")
    web = world.attach("web", stack="t")
    network.apply(world.home, "s")
    assert find_leftovers(world.home, lambda stack: stack == "s") == [Leftover(Kind.NAMESPACE, web.container_id)]
    assert {item.kind for item in find_leftovers(world.home, lambda stack: stack == "t")} == {Kind.NAMESPACE}
    bridge = Leftover(Kind.BRIDGE, link.bridge_name(world.home, "s_default"), "s")
    assert bridge in find_leftovers(world.home, lambda _stack: False)


def test_an_interface_that_the_kernel_removes_first_is_no_error(world):
    """Its other end went with a namespace, which the kernel takes apart in its own time."""
    with Netlink() as connection:
        connection.remove_link("orcvnothing")
    remove_leftover(world.home, Leftover(Kind.INTERFACE, "orcvnothing"))


def test_the_books_of_one_home_do_not_account_for_another(world, tmp_path):
    world.network()
    other = World(find_home({"ORCHESTRA_HOME": str(tmp_path / "other")}, 0), tmp_path)
    assert find_leftovers(other.home, lambda _stack: False) == []


def test_texts_of_a_container_name_its_resolver_its_hosts_and_itself(world):
    world.network()
    web = world.attach(
        "web",
        dns_search=("example.org",),
        dns_options=("ndots:2",),
        extra_hosts=(("db", "10.1.1.1"), ("host", "host-gateway")),
        domainname="corp",
    )
    assert web.resolv_conf == "nameserver 127.0.0.11\nsearch example.org\noptions ndots:2\n"
    assert re.search(r"^10\.1\.1\.1\tdb$", web.hosts, re.MULTILINE)
    assert f"{gateway(world)}\thost\n" in web.hosts
    assert f"{web.addresses['s_default']}\ts-web-1.corp s-web-1\n" in web.hosts


def test_reserved_addresses_ranges_and_auxiliary_addresses_are_kept(world):
    spec = {"subnet": "10.55.0.0/28", "gateway": "10.55.0.9", "ip_range": "10.55.0.8/29", "reserved": ("10.55.0.10",)}
    world.network(**spec)
    name = NetworkName("s_default")
    kept = ("10.55.0.2", "10.55.0.8", "10.55.0.12")
    given = [world.attach(f"dyn{n}", Endpoint(name, reserved=kept)).addresses[name] for n in range(3)]
    assert given == ["10.55.0.11", "10.55.0.13", "10.55.0.14"]
    with pytest.raises(FatalError, match=r"no address of the 6 in 10\.55\.0\.8/29 is free") as caught:
        world.attach("more", Endpoint(name, reserved=kept))
    assert "a larger range, such as ip_range: 10.55.0.0/28" in caught.value.hint
    for address in kept:  # also outside the range
        fixed = world.attach(f"fixed{address[-1]}", Endpoint(name, ipv4_address=address, reserved=kept))
        assert fixed.addresses[name] == address
    with pytest.raises(FatalError, match="is one of the network's aux_addresses"):
        world.attach("aux", Endpoint(name, ipv4_address="10.55.0.10"))
    with pytest.raises(FatalError, match="leased to another container"):
        world.attach("late", Endpoint(name, ipv4_address="10.55.0.13"))


def test_a_host_name_is_a_name_on_the_networks(world):
    world.network()
    names = {
        name: world.attach(name, hostname=hostname, domainname=domainname).interfaces[0].names
        for name, hostname, domainname in (
            ("broker", "kafka-one", ""),
            ("fqdn", "mail.example.net", ""),
            ("parts", "mail", "example.org"),
            ("plain", "", ""),
        )
    }
    assert "kafka-one" in names["broker"]
    assert "mail.example.net" in names["fqdn"]
    assert "mail" not in names["fqdn"]
    assert {"mail", "mail.example.org"} <= set(names["parts"])
    assert names["plain"] == ("plain", "s-plain-1", "id-s-plain-1"[:12])


def test_no_search_domains_means_none(world):
    world.network()
    assert "search" not in world.attach("web", dns_search=("",)).resolv_conf


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
