"""Who reaches whom: containers, networks, published ports, the host and the outside."""

from __future__ import annotations

import subprocess
from pathlib import Path

from orchestra.driver.local.net import lease_file, network
from orchestra.linux.network import netlink
from orchestra.linux.network.namespace import inside
from orchestra.linux.network.netlink import Netlink
from orchestra.model.container import Port

from .conftest import needs_network

pytestmark = needs_network


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
    script = f"ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1/32 via {world.gateway()} dev eth0"
    inside(web.namespace_path, subprocess.run, ["sh", "-c", script], check=True)
    inside(web.namespace_path, Path("/proc/sys/net/ipv4/conf/eth0/route_localnet").write_text, "1")
    assert world.ask(None, "127.0.0.1", 6000).startswith("hello")
    assert world.cannot_reach(web.namespace_path, "127.0.0.1", 6000)


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
    script = f"ip route add {address}/32 via {world.gateway()} dev eth0"
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
