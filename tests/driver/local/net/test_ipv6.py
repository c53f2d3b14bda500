"""Networks with IPv6, beside IPv4 or alone: real bridges, namespaces and rules."""

from __future__ import annotations

import os
import socket
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path
from random import Random

import pytest

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import found_leases, ipam, lease_file, link, network
from orchestra.driver.local.net.ipam import Leases, Pool
from orchestra.driver.local.net.leftovers import find_leftovers, remove_leftover
from orchestra.errors import FatalError
from orchestra.linux.network import netlink
from orchestra.linux.network.namespace import inside
from orchestra.linux.network.netlink import Netlink
from orchestra.model.container import Endpoint, Port
from orchestra.model.names import NetworkName
from orchestra.model.sharing import Host

from .conftest import eventually, needs_network

pytestmark = needs_network

DEFAULT = NetworkName("s_default")
LAN = "2001:db8:7"
GATEWAY_MODE = "com.docker.network.bridge.gateway_mode_ipv6"


def lease(world, name=DEFAULT):
    return lease_file.load(world.home).networks[name]


def six(attachment, place=0):
    return attachment.interfaces[place].ipv6_address


def ip(*words):
    return subprocess.run(["ip", "-6", *words], capture_output=True, text=True, check=True).stdout


def setting(name, key):
    return Path(f"{link.SYSCTL_IPV6}/{name}/{key}").read_text().strip()


def test_containers_on_a_network_with_ipv6_reach_each_other(world):
    world.network(ipv6=True)
    network.apply(world.home, world.stack)
    web, db = world.attach("web"), world.attach("db")
    world.serve(db.namespace_path, 5432, host="::")
    assert world.ask(web.namespace_path, six(db), 5432) == f"hello {six(web)}"
    assert world.ask(None, db.addresses[DEFAULT], 5432).startswith("hello ::ffff:")
    assert world.ask(None, six(db), 5432) == f"hello {lease(world).ipv6.gateway}"


def test_a_network_may_have_ipv6_only(world):
    world.network(ipv4=False, ipv6=True)
    web, db = world.attach("web", extra_hosts=(("machine", "host-gateway"),)), world.attach("db")
    assert lease(world).ipv4 is None
    assert web.addresses[DEFAULT] == six(web)
    assert "inet " not in inside(web.namespace_path, subprocess.check_output, ["ip", "addr", "show", "eth0"], text=True)
    assert f"{six(web)}\ts-web-1\n" in web.hosts
    assert f"{lease(world).ipv6.gateway}\tmachine\n" in web.hosts
    world.serve(db.namespace_path, 5432, host="::")
    assert world.ask(web.namespace_path, six(db), 5432).startswith("hello")


def test_what_a_container_gets(world):
    world.network(ipv6=True, ipv6_subnet="2001:db8:1::/64", ipv6_ip_range="2001:db8:1::f00/120")
    web = world.attach("web", extra_hosts=(("machine", "host-gateway"),))
    assert six(web) == "2001:db8:1::f00"
    assert web.hosts.endswith(f"{web.addresses[DEFAULT]}\ts-web-1\n2001:db8:1::f00\ts-web-1\n")
    assert web.hosts.count("\tmachine\n") == 2
    # The kernel makes the link-local address in its own time.
    assert eventually(lambda: "tentative" not in inside(web.namespace_path, ip, "address", "show", "dev", "eth0"))
    shown = inside(web.namespace_path, ip, "address", "show", "dev", "eth0")
    assert "inet6 2001:db8:1::f00/64 scope global nodad" in shown
    assert link.link_local_address(web.interfaces[0].mac_address) in shown
    assert "default via 2001:db8:1::1 dev eth0" in inside(web.namespace_path, ip, "route")


def test_a_home_has_a_prefix_of_its_own_for_its_networks(world):
    world.network("s_a", ipv6=True)
    world.network("s_b", ipv6=True)
    first, second = (ip_network(lease(world, name).ipv6.subnet) for name in ("s_a", "s_b"))
    assert first != second
    assert first.prefixlen == second.prefixlen == 64
    assert first.supernet(new_prefix=48) == second.supernet(new_prefix=48)
    assert first.subnet_of(ip_network("fd00::/8"))
    world.attach("web", "s_a")
    Path(f"{world.home.networks}/leases.json").unlink()
    found = found_leases.find_leases(world.home)
    assert found.global_id == first.network_address.packed[1:6].hex()


def test_a_subnet_avoids_what_the_host_uses():
    global_id = "0102030405"
    home = ip_network("fd01:203:405::/48")
    taken = [ip_network("10.0.0.0/8"), *list(home.subnets(new_prefix=49))[:1]]
    assert ipam.choose_ipv6_subnet(global_id, taken, Random(1)).subnet_of(list(home.subnets(new_prefix=49))[1])
    with pytest.raises(FatalError, match=r"no subnet of the size /64 in fd01:203:405::/48 is free"):
        ipam.choose_ipv6_subnet(global_id, [home], Random(1))


def test_a_subnet_of_the_file_that_the_host_uses_is_refused_by_name(world):
    world.outside("lan", "192.168.77", ipv6=LAN)
    with pytest.raises(FatalError, match=r"overlaps 2001:db8:7::/64, the network of the host's address 2001:db8:7::1"):
        world.network(ipv6=True, ipv6_subnet="2001:db8::/32")
    assert lease_file.load(world.home).networks == {}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ipv6_subnet": "10.0.0.0/24"}, "subnet 10.0.0.0/24 is not an IPv6 subnet"),
        ({"ipv6_subnet": "fd00::1/64"}, "subnet fd00::1/64 is not an IPv6 subnet"),
        ({"ipv6_subnet": "fd00::/127"}, "subnet fd00::/127 is too small for containers"),
        ({"ipv6_subnet": "fd00::/64", "ipv6_gateway": "fd01::1"}, "gateway fd01::1 is not a host address of fd00::/64"),
        ({"driver_options": {GATEWAY_MODE: "isolated"}}, "isolated is none of nat, nat-unprotected, routed"),
    ],
)
def test_a_network_that_cannot_be_made_is_refused(world, more, message):
    with pytest.raises(FatalError, match=message):
        world.network(ipv6=True, **more)
    assert world.interfaces() == set()


def test_fixed_addresses_of_both_families(world):
    world.network(subnet="10.77.0.0/24", ipv6=True, ipv6_subnet="fd77::/64", reserved=("fd77::9",))
    kept = ("fd77::2", "fd77::5")
    fixed = Endpoint(DEFAULT, ipv4_address="10.77.0.5", ipv6_address="fd77:0:0::5", reserved=kept)
    assert six(world.attach("other", Endpoint(DEFAULT, reserved=kept))) == "fd77::3"
    web = world.attach("web", fixed)
    assert (web.addresses[DEFAULT], six(web)) == ("10.77.0.5", "fd77::5")
    assert world.attach("web", fixed) == web
    for address, message in (
        ("fd77::5", "ipv6_address fd77::5 is leased to another container"),
        ("fd77::1", "ipv6_address fd77::1 is the network's gateway"),
        ("fd77::9", "ipv6_address fd77::9 is one of the network's aux_addresses"),
        ("fd78::9", "ipv6_address fd78::9 is not a host address of fd77::/64"),
        ("10.77.0.9", "ipv6_address 10.77.0.9 is not an IPv6 address"),
    ):
        with pytest.raises(FatalError, match=message):
            world.attach("late", Endpoint(DEFAULT, ipv6_address=address))
    world.network("s_four")
    with pytest.raises(FatalError, match="it has no IPv6 for ipv6_address fd77::7"):
        world.attach("late", Endpoint(NetworkName("s_four"), ipv6_address="fd77::7"))


def test_each_family_has_its_own_gateway(world):
    world.network("s_four")
    world.network("s_six", ipv4=False, ipv6=True)
    world.network("s_both", ipv6=True)
    names = ("s_four", "s_six", "s_both")
    web = world.attach("web", *(Endpoint(NetworkName(name), gateway_priority=9 * (name != "s_both")) for name in names))
    assert {each.network for each in web.interfaces if each.publishes} == {"s_four"}
    assert {each.network for each in web.interfaces if each.publishes_ipv6} == {"s_six"}
    routes = inside(web.namespace_path, ip, "route")
    assert routes.count("default") == 1
    assert f"default via {lease(world, 's_six').ipv6.gateway}" in routes


def test_link_local_addresses_of_the_file_are_given(world):
    world.network(ipv6=True)
    web = world.attach("web", Endpoint(DEFAULT, link_local_addresses=("169.254.7.7", "fe80::7")))
    db = world.attach("db")
    shown = inside(web.namespace_path, subprocess.check_output, ["ip", "address", "show", "dev", "eth0"], text=True)
    assert "169.254.7.7/16" in shown
    assert "fe80::7/64" in shown
    world.serve(web.namespace_path, 5432, host="::")
    with world.socket(db.namespace_path, socket.SOCK_STREAM, socket.AF_INET6) as client:
        client.settimeout(20)
        client.connect(("fe80::7", 5432, 0, inside(db.namespace_path, socket.if_nametoindex, "eth0")))


def test_ipv6_is_off_where_the_network_does_not_have_it(world):
    world.network("s_four")
    world.network("s_both", ipv6=True)
    web = world.attach("web", "s_four", "s_both")
    inside_settings = [inside(web.namespace_path, setting, f"eth{n}", "disable_ipv6") for n in range(2)]
    assert [each.network for each in web.interfaces] == ["s_both", "s_four"]
    assert inside_settings == ["0", "1"]
    off = {each: setting(each, "disable_ipv6") for each in world.interfaces()}
    assert off.pop(lease(world, "s_both").bridge) == "0"
    assert set(off.values()) == {"1"}
    for name, key in (
        ("eth0", "accept_ra"),
        ("eth0", "accept_redirects"),
        ("eth0", "autoconf"),
        ("eth0", "accept_dad"),
    ):
        assert inside(web.namespace_path, setting, name, key) == "0"
    bridge = lease(world, "s_both").bridge
    assert [setting(bridge, key) for key in ("accept_ra", "accept_redirects", "autoconf")] == ["0"] * 3


def test_networks_and_stacks_are_isolated_from_each_other(world):
    world.network("s_front", ipv6=True)
    world.network("s_back", ipv6=True)
    world.network("t_default", stack="t", ipv6=True)
    network.apply(world.home, "s")
    network.apply(world.home, "t")
    web = world.attach("web", "s_front")
    for target in (world.attach("db", "s_back"), world.attach("far", "t_default", stack="t")):
        world.serve(target.namespace_path, 5432, host="::")
        assert world.ask(None, six(target), 5432).startswith("hello")
        assert world.cannot_reach(web.namespace_path, six(target), 5432)


def published(world, *ports, name="web", **more):
    lan = world.outside("lan", "192.168.77", route_to_host=True, ipv6=LAN)
    world.network(ipv6=True, **more)
    web = world.attach(name, ports=[(port, None) for port in ports])
    world.serve(web.namespace_path, 80, host="::")
    network.apply(world.home, world.stack)
    return lan, web


def test_a_published_port_answers_at_the_hosts_addresses(world):
    lan, web = published(world, Port(80, 8080, "0.0.0.0"), Port(80, 8080, "::"))
    near = world.attach("near")
    assert world.ask(lan, f"{LAN}::1", 8080) == f"hello {LAN}::2"
    assert world.ask(None, f"{LAN}::1", 8080).startswith("hello")
    assert world.ask(None, "127.0.0.1", 8080).startswith("hello")
    for client in (web, near):  # hairpin
        assert world.ask(client.namespace_path, f"{LAN}::1", 8080) == f"hello {lease(world).ipv6.gateway}"
    assert world.ask(near.namespace_path, lease(world).ipv6.gateway, 8080).startswith("hello")
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as client:
        client.settimeout(20)
        assert client.connect_ex(("::1", 8080)) != 0  # at once, so that clients go on to 127.0.0.1
    assert world.cannot_reach(lan, six(web), 80)
    assert world.cannot_reach(lan, six(web), 8080)


def test_a_port_published_at_one_address_answers_there_only(world):
    lan, _ = published(world, Port(80, 8080, f"{LAN}::1"))
    assert world.ask(lan, f"{LAN}::1", 8080).startswith("hello")
    assert world.cannot_reach(None, lease(world).ipv6.gateway, 8080)
    assert world.cannot_reach(None, "127.0.0.1", 8080)


def test_udp_is_published_too(world):
    lan, web = published(world, Port(53, 5353, "::", "udp"))
    with (
        world.socket(web.namespace_path, socket.SOCK_DGRAM, socket.AF_INET6) as server,
        world.socket(lan, socket.SOCK_DGRAM, socket.AF_INET6) as client,
    ):
        server.bind(("::", 53))
        client.sendto(b"question", (f"{LAN}::1", 5353))
        server.settimeout(20)
        question, sender = server.recvfrom(64)
        assert (question, sender[0]) == (b"question", f"{LAN}::2")
        server.sendto(b"answer", sender)
        client.settimeout(20)
        answer, sender = client.recvfrom(64)
        assert (answer, sender[:2]) == (b"answer", (f"{LAN}::1", 5353))


def test_a_port_at_an_address_of_a_family_that_the_networks_lack_is_refused(world):
    world.network()
    with pytest.raises(FatalError, match="port 80: none of its networks has IPv6 for ::"):
        world.attach("web", ports=[(Port(80, 8080, "::"), None)])
    world.network("s_six", ipv4=False, ipv6=True)
    with pytest.raises(FatalError, match=r"port 80: none of its networks has IPv4 for 0\.0\.0\.0"):
        world.attach("web", "s_six", ports=[(Port(80, 8080, "0.0.0.0"), None)])


@pytest.mark.parametrize(
    ("options", "seen", "open_ports"),
    [
        ({}, f"{LAN}::1", ()),
        ({"com.docker.network.bridge.enable_ip_masquerade": "false"}, "own", ()),
        ({GATEWAY_MODE: "nat-unprotected"}, f"{LAN}::1", (80, 81)),
        ({GATEWAY_MODE: "routed"}, "own", (80,)),
    ],
)
def test_what_the_gateway_does(world, options, seen, open_ports):
    """With what address packets leave, and which ports others reach at the container's own address."""
    lan, web = published(world, Port(80, 8080, "::"), driver_options=options)
    world.serve(web.namespace_path, 81, host="::")
    world.serve(lan, 443, host="::")
    assert world.ask(web.namespace_path, f"{LAN}::2", 443) == f"hello {six(web) if seen == 'own' else seen}"
    assert {port for port in (80, 81) if not world.cannot_reach(lan, six(web), port)} == set(open_ports)
    assert world.cannot_reach(lan, f"{LAN}::1", 8080) is (GATEWAY_MODE in options and seen == "own")


def test_containers_without_connections_between_them_reach_only_published_ports(world):
    options = {"com.docker.network.bridge.enable_icc": "false"}
    _, web = published(world, Port(80, 8080, "::"), driver_options=options)
    near = world.attach("near")
    assert world.cannot_reach(near.namespace_path, six(web), 80)
    assert world.ask(near.namespace_path, f"{LAN}::1", 8080).startswith("hello")
    assert world.ask(None, six(web), 80).startswith("hello")


def test_an_internal_network_has_no_way_out_or_in(world):
    lan, web = published(world, Port(80, 8080, "::"), internal=True)
    near = world.attach("near")
    world.serve(lan, 443, host="::")
    world.serve(None, 6000, host="::")
    gateway = lease(world).ipv6.gateway
    assert "default" not in inside(web.namespace_path, ip, "route")
    assert world.ask(near.namespace_path, six(web), 80).startswith("hello")
    assert world.cannot_reach(near.namespace_path, gateway, 6000)
    with inside(web.namespace_path, Netlink) as own:
        own.send(netlink.set_default_route(gateway, own.link("eth0").number))
    assert world.cannot_reach(web.namespace_path, f"{LAN}::2", 443)
    assert world.cannot_reach(web.namespace_path, f"{LAN}::1", 6000)
    assert world.cannot_reach(lan, six(web), 80)
    assert world.cannot_reach(lan, f"{LAN}::1", 8080)


def test_the_loss_of_the_rules_opens_nothing(world):
    lan, web = published(world, Port(80, 8080, "::"))
    world.network("s_back", ipv6=True)
    back = world.attach("back", "s_back")
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    for source in (lan, back.namespace_path, None):
        assert world.cannot_reach(source, six(web), 80)
    assert world.cannot_reach(lan, f"{LAN}::1", 8080)
    (lost,) = {found.loss for found in network.observe_networks(world.home, "s")}
    assert lost == "its firewall rules were removed or changed"
    network.apply(world.home, "s")
    assert world.ask(lan, f"{LAN}::1", 8080).startswith("hello")


def test_only_the_table_of_ipv6_is_lost_and_put_back(world):
    lan, _ = published(world, Port(80, 8080, "::"))
    assert network.has_rules(world.home, "s")
    (table,) = {word for word in world.ruleset().split() if word.startswith("orchestra_")}
    subprocess.run(["nft", "delete", "table", "ip6", table], check=True)
    assert not network.has_rules(world.home, "s")
    network.apply(world.home, "s")
    assert network.has_rules(world.home, "s")
    assert world.ask(lan, f"{LAN}::1", 8080).startswith("hello")


@pytest.mark.parametrize("by_interface", [True, False], ids=["by interface", "as before Linux 6.17"])
def test_forwarding_is_turned_on_for_containers_only_and_off_again(world, monkeypatch, by_interface):
    if not by_interface:
        monkeypatch.setattr(link, "FORCE_FORWARDING", "absent")
    elif not os.path.exists(f"{link.SYSCTL_IPV6}/all/{link.FORCE_FORWARDING}"):
        pytest.skip("the kernel forwards IPv6 from all interfaces or none")
    wan = world.outside("wan", "203.0.113", ipv6="2001:db8:8", route_to_host=True)
    world.serve(wan, 443, host="::")
    before = {name: [setting(name, key) for key in ("forwarding", "accept_ra")] for name in ("all", "wan")}
    lan, _ = published(world, Port(80, 8080, "::"))
    assert setting("all", "forwarding") == str(int(not by_interface))
    assert setting("wan", "accept_ra") == ("1" if by_interface else "2")  # it still has routers
    assert world.ask(lan, f"{LAN}::1", 8080).startswith("hello")
    assert world.cannot_reach(lan, "2001:db8:8::2", 443)  # the host has not become a router
    near = world.attach("near")
    assert world.ask(near.namespace_path, "2001:db8:8::2", 443).startswith("hello 2001:db8:8::1")
    for each in ("web", "near"):
        world.detach(attachments.load(world.home.stack("s").container(f"s-{each}-1")))
    network.remove_network(world.home, "s", DEFAULT)
    assert {name: [setting(name, key) for key in ("forwarding", "accept_ra")] for name in before} == before
    assert not any(
        "1" in setting(name, key) for name in ("lan", "wan") for key in (("force_forwarding",) * by_interface)
    )


def test_a_router_stays_one(world):
    Path(f"{link.SYSCTL_IPV6}/all/forwarding").write_text("1")
    published(world, Port(80, 8080, "::"))
    world.detach(attachments.load(world.home.stack("s").container("s-web-1")))
    network.remove_network(world.home, "s", DEFAULT)
    assert setting("all", "forwarding") == "1"


@pytest.mark.parametrize(
    ("where", "command", "loss"),
    [
        ("host", "ip -6 address flush dev BRIDGE", "the address GATEWAY/64 of its bridge BRIDGE was removed"),
        ("host", "echo 1 > /proc/sys/net/ipv6/conf/BRIDGE/accept_ra", "net/ipv6/conf/BRIDGE/accept_ra was changed"),
        ("host", "echo 1 > /proc/sys/net/ipv6/conf/BRIDGE/disable_ipv6", "net/ipv6/conf/BRIDGE/disable_ipv6 was chang"),
        ("web", "ip -6 address flush dev eth0 scope global", "s-web-1: the address ADDRESS was removed"),
        ("web", "ip -6 route del default", "s-web-1: the default route was removed"),
        ("web", "echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6", "s-web-1: the address ADDRESS was removed"),
        ("web", "ip link set eth0 down", "s-web-1: eth0 was turned off"),
        ("web", "ip link del eth0", "s-web-1: eth0 was removed"),
    ],
)
def test_what_others_change_is_noticed_and_restored(world, where, command, loss):
    lan, web = published(world, Port(80, 8080, "::"))
    words = {"BRIDGE": lease(world).bridge, "GATEWAY": lease(world).ipv6.gateway, "ADDRESS": six(web)}
    for word, value in words.items():
        command, loss = command.replace(word, value), loss.replace(word, value)
    assert {found.loss for found in network.observe_networks(world.home, "s")} == {""}
    script = ["sh", "-c", command]
    if where == "web":
        inside(web.namespace_path, subprocess.run, script, check=True)
    else:
        subprocess.run(script, check=True)
    (found,) = network.observe_networks(world.home, "s")
    assert loss in found.loss
    world.network(ipv6=True)
    assert {found.loss for found in network.observe_networks(world.home, "s")} == {""}
    assert world.ask(lan, f"{LAN}::1", 8080).startswith("hello")


def test_forwarding_that_others_turn_off_is_noticed_and_turned_on_again(world):
    lan, _ = published(world, Port(80, 8080, "::"))
    path = Path(f"{link.SYSCTL_IPV6}/lan/force_forwarding")
    path = path if path.exists() else Path(f"{link.SYSCTL_IPV6}/all/forwarding")
    path.write_text("0")
    (found,) = network.observe_networks(world.home, "s")
    assert f"forwarding of IPv6 was turned off on interface {path.parent.name}" in found.loss
    network.apply(world.home, "s")
    assert path.read_text() == "1\n"
    assert world.ask(lan, f"{LAN}::1", 8080).startswith("hello")


def test_leases_survive_in_the_journal_and_without_it(world):
    world.network(ipv6=True)
    world.network("s_six", ipv4=False, ipv6=True)
    web, db = world.attach("web", "s_default", "s_six"), world.attach("db")
    known = lease_file.load(world.home)
    lease_file._known.clear()
    assert lease_file.load(world.home) == known
    assert known.networks[DEFAULT].ipv6.addresses == {web.container_id: six(web), db.container_id: six(db)}
    Path(f"{world.home.networks}/leases.json").unlink()
    found = lease_file.load(world.home)
    for name in (DEFAULT, "s_six"):
        assert found.networks[name].pools == known.networks[name].pools
    world.detach(db)
    assert db.container_id not in lease(world).containers


def test_leases_without_ipv6_are_written_as_before():
    """So that an earlier version reads them."""
    from orchestra.model.codec import encode

    old = ipam.NetworkLease("s", "orc-1", "10.9.0.0/24", "10.9.0.1", addresses={"a": "10.9.0.2"}, last="10.9.0.2")
    made = ipam.NetworkLease("s", "orc-1", "", "").with_pools(
        Pool("10.9.0.0/24", "10.9.0.1", addresses={"a": "10.9.0.2"}, last="10.9.0.2"), None
    )
    assert encode(Leases({"n": made})) == encode(Leases({"n": old}))
    assert encode(Leases({"n": made})) == {
        "networks": {
            "n": {
                "stack": "s",
                "bridge": "orc-1",
                "subnet": "10.9.0.0/24",
                "gateway": "10.9.0.1",
                "addresses": {"a": "10.9.0.2"},
                "last": "10.9.0.2",
            }
        }
    }


def test_leftovers_are_found_and_removed(world):
    published(world, Port(80, 8080, "::"))
    for item in find_leftovers(world.home, lambda _stack: False):
        remove_leftover(world.home, item)
    assert eventually(lambda: world.interfaces() == {"lan"})
    assert "orchestra" not in world.ruleset()
    assert ip("route", "show", "proto", "boot") == ""


def test_a_container_on_the_hosts_network_is_as_before(world):
    assert world.attach("web", network_mode=Host()).families == (False, False)


def test_hardware_addresses_follow_from_addresses():
    assert link.mac_address("10.1.2.3") == "02:6f:0a:01:02:03"
    assert (
        link.mac_address("fd00::1") == link.mac_address(str(ip_address("fd00:0:0::1"))) != link.mac_address("fd00::2")
    )
    assert link.link_local_address("02:6f:0a:01:02:03") == "fe80::6f:aff:fe01:203"
