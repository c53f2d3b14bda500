"""A container is put on its networks and taken off them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestra.driver.local.net import endpoint, ipam, lease_file, link, network
from orchestra.errors import FatalError, TemporaryError
from orchestra.linux.network import netlink
from orchestra.linux.network.namespace import inside, is_pinned, unpin_namespace
from orchestra.linux.network.netlink import Netlink
from orchestra.model.container import Endpoint
from orchestra.model.names import NetworkName
from orchestra.model.sharing import Bare, Host, OfContainer, OfService

from .conftest import eventually, needs_network

pytestmark = needs_network


def links_inside(attachment):
    with inside(attachment.namespace_path, Netlink) as there:
        return {found.name: found for found in there.links()}


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
        assert (default.gateway, default.link) == (world.gateway("s_a"), own.link("eth1").number)


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
        assert default.gateway == world.gateway("s_b")
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
    assert world.gateway() == "10.77.0.254"
    with pytest.raises(FatalError, match=r"ipv4_address 10.77.5.5 is leased to another container"):
        world.attach("other", Endpoint("s_default", ipv4_address="10.77.5.5"))


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


def test_a_container_that_ends_just_when_its_network_is_restored_keeps_nothing_from_being_restored(world, monkeypatch):
    world.network()
    web, other = world.attach("web"), world.attach("other")
    unpin_namespace(web.namespace_path)
    unpin_namespace(other.namespace_path)
    with subprocess.Popen(["true"]) as ended:
        pass
    monkeypatch.setattr(endpoint, "_running", lambda _: ended.pid)
    network.restore(world.home, "s")
    assert links_inside(web)["eth0"].up
    assert links_inside(other)["eth0"].up


def test_a_killed_process_leaves_nothing_that_the_next_does_not_complete(world):
    world.network()
    script = """
import sys
from orchestra.driver.local.net import network
from orchestra.home import Home
from orchestra.model.codec import decode
from orchestra.model.container import ContainerSpec
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
    """One that still has something to deliver, to a client that is gone, would live on in the namespace for minutes."""
    world.network()
    first = world.attach("web")
    before = world.interfaces()
    second = world.attach("db")
    (link_of_second,) = world.interfaces() - before
    world.serve(second.namespace_path, 7000)
    client = world.socket(first.namespace_path, socket.SOCK_STREAM)
    client.connect((second.addresses["s_default"], 7000))
    assert client.makefile("rb").read()  # or closing would be a reset, which does not wait
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
    assert f"{world.gateway()}\thost\n" in web.hosts
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
