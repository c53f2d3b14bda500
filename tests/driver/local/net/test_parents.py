"""Networks with the drivers macvlan and ipvlan: containers beside the machines on the network of a host's interface."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import found_leases, lease_file, link, network, ruleset
from orchestra.driver.local.net.connection import connect, disconnect
from orchestra.driver.local.net.drift import find_losses
from orchestra.driver.local.net.leftovers import find_leftovers, remove_leftover
from orchestra.driver.local.net.projection import names_folder
from orchestra.driver.local.net.watch import NetworkWatch
from orchestra.errors import FatalError
from orchestra.linux.network import netlink, sub_interface
from orchestra.linux.network.namespace import inside
from orchestra.linux.network.netlink import Netlink
from orchestra.model.codec import encode
from orchestra.model.container import Endpoint
from orchestra.model.names import NetworkName
from orchestra.model.network_driver import NetworkDriver

from .conftest import eventually, needs_network

MACVLAN, IPVLAN = NetworkDriver.MACVLAN, NetworkDriver.IPVLAN
SUBNET = {"subnet": "192.168.77.0/24", "gateway": "192.168.77.2", "ip_range": "192.168.77.128/25"}
LAN = NetworkName("s_lan")


def kinds() -> frozenset[str]:
    """Of interfaces that this kernel can make."""

    def makes(kind: str) -> bool:
        words = ["unshare", "-n", "ip", "link", "add", "probe", "type", kind]
        return "Unknown device type" not in subprocess.run(words, capture_output=True, text=True, check=False).stderr

    return frozenset(filter(makes, ("macvlan", "ipvlan", "vlan", "dummy")))


KINDS = kinds() if not needs_network[1].args[0] else frozenset()


def needs(*wanted: str):
    lacking = sorted({*wanted} - KINDS)
    return pytest.mark.skipif(bool(lacking), reason=f"the kernel has no {', '.join(lacking)}")


pytestmark = needs_network
needs_macvlan = needs("macvlan")


@pytest.fixture
def lan(world):
    """Another machine, 192.168.77.2, on the network of the host's interface ``lan``."""
    there = world.outside("lan", "192.168.77", ipv6="2001:db8:7")
    world.serve(there, 80, b"lan")
    world.serve(there, 80, b"lan", host="2001:db8:7::2")
    return there


def parented(world, driver=MACVLAN, name=LAN, parent="lan", mode="", **more):
    options = {"parent": parent} if parent else {}
    options |= {f"{driver}_mode": mode} if mode else {}
    return world.network(name, driver=driver, driver_options=options, **{**SUBNET, **more})


def routes(attachment):
    return inside(attachment.namespace_path, subprocess.check_output, ["ip", "route"], text=True).splitlines()


@needs_macvlan
def test_a_container_is_on_the_network_of_its_parent(world, lan):
    parented(world)
    web, db = world.attach("web", LAN), world.attach("db", LAN)
    network.apply(world.home, "s")
    assert web.addresses == {LAN: "192.168.77.128"}
    assert world.ask(web.namespace_path, "192.168.77.2", 80) == "lan 192.168.77.128"
    world.serve(web.namespace_path, 80)
    assert world.ask(lan, "192.168.77.128", 80) == "hello 192.168.77.2"
    assert world.ask(db.namespace_path, "192.168.77.128", 80) == "hello 192.168.77.129"
    assert world.cannot_reach(None, "192.168.77.128", 80)
    assert "default via 192.168.77.2 dev eth0" in routes(web)[0]
    assert "s-web-1" in (Path(names_folder(world.home, LAN)) / "s.json").read_text()


@needs_macvlan
def test_nothing_of_it_is_made_on_the_host(world, lan):
    parented(world)
    web = world.attach("web", LAN, ports=[(80, 8080)])
    network.apply(world.home, "s")
    assert world.interfaces() == {"lan"}
    assert world.ruleset() == ""
    assert not ruleset.was_applied(world.home, "s")
    (seen,) = network.observe_networks(world.home, "s")
    assert (seen.name, seen.loss) == (LAN, "")
    world.detach(web)
    network.remove_network(world.home, "s", LAN)
    assert world.interfaces() == {"lan"}
    assert lease_file.load(world.home).networks == {}


@needs_macvlan
@pytest.mark.parametrize(("mode", "reach"), [("bridge", True), ("private", False), ("vepa", False)])
def test_the_mode_decides_who_reaches_whom(world, lan, mode, reach):
    parented(world, mode=mode)
    web, db = world.attach("web", LAN), world.attach("db", LAN)
    world.serve(web.namespace_path, 80)
    assert world.ask(lan, "192.168.77.128", 80).startswith("hello")
    assert world.cannot_reach(db.namespace_path, "192.168.77.128", 80) is not reach


@needs_macvlan
def test_passthru_takes_one_container_and_no_other_network(world, lan):
    parented(world, mode="passthru")
    web = world.attach("web", LAN)
    assert world.ask(web.namespace_path, "192.168.77.2", 80).startswith("lan")
    with pytest.raises(FatalError, match="network s_lan: in the mode passthru it takes one container, and has one"):
        world.attach("db", LAN)
    with pytest.raises(FatalError, match=r"network s_lan \(macvlan, passthru\) has the parent lan already"):
        parented(world, name="s_other", subnet="10.5.0.0/24", gateway="", ip_range="")


@needs_macvlan
def test_ipv6_and_an_internal_network(world, lan):
    parented(world, ipv6=True, ipv6_subnet="2001:db8:7::/64", ipv6_gateway="2001:db8:7::2", internal=True)
    web = world.attach("web", Endpoint(LAN, ipv6_address="2001:db8:7::9"))
    assert world.ask(web.namespace_path, "2001:db8:7::2", 80) == "lan 2001:db8:7::9"
    assert not [route for route in routes(web) if "default" in route]
    shown = inside(web.namespace_path, subprocess.check_output, ["ip", "-6", "route"], text=True)
    assert "default" not in shown


@needs_macvlan
def test_it_is_joined_and_left_while_the_container_runs(world, lan):
    parented(world)
    world.network()
    web = world.attach("web")
    directory = world.home.stack("s").container("s-web-1")
    made = connect(world.home, "s", directory, Endpoint(LAN, gateway_priority=1, mac_address="02:00:00:00:00:77"))
    assert world.ask(web.namespace_path, "192.168.77.2", 80) == "lan 192.168.77.128"
    assert made.interfaces[1].mac_address == "02:00:00:00:00:77"
    assert "dev eth1" in routes(web)[0]
    disconnect(world.home, "s", directory, LAN)
    assert "dev eth0" in routes(web)[0]
    assert LAN not in attachments.load(directory).addresses


@needs_macvlan
def test_what_others_remove_is_noticed_and_made_again(world, lan):
    parented(world)
    web = world.attach("web", LAN)
    network.apply(world.home, "s")
    with NetworkWatch(world.home, "s") as watch:
        assert watch.look() == {}
        inside(web.namespace_path, subprocess.run, ["ip", "link", "delete", "eth0"], check=True)
        assert eventually(lambda: watch.look() == {LAN: "s-web-1: eth0 was removed"})
        network.restore(world.home, "s")
        assert watch.look() == {}
    assert world.ask(web.namespace_path, "192.168.77.2", 80) == "lan 192.168.77.128"


@needs_macvlan
def test_its_lease_is_found_without_the_file_and_removed_with_a_dead_stack(world, lan):
    spec = parented(world)
    world.attach("web", LAN)
    directory = Path(world.home.stack("s").data)
    directory.mkdir(parents=True, exist_ok=True)
    Path(world.home.stack("s").desired).write_text(json.dumps({"networks": [encode(spec)]}))
    before = lease_file.load(world.home).networks[LAN]
    found = found_leases.find_leases(world.home).networks[LAN]
    assert (found.parent, found.subnet, found.addresses) == (before.parent, before.subnet, before.addresses)
    assert find_losses(world.home, "s") == {}
    left = find_leftovers(world.home, lambda _: False)
    assert [(each.kind.value, each.name) for each in left][-1] == ("network on a parent", LAN)
    for each in left:
        remove_leftover(world.home, each)
    assert lease_file.load(world.home).networks == {}
    assert world.interfaces() == {"lan"}


@needs_macvlan
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parent": "nic7"}, "there is no interface nic7 to be its parent"),
        ({"parent": "nic7.100"}, "there is no interface nic7 to be its parent"),
        ({"parent": "lan.4095"}, "4095 of its parent lan.4095 is not a VLAN tag"),
        ({"parent": "lo"}, "parent lo is the loopback interface"),
        ({"macvlan_mode": "l2"}, "macvlan_mode l2 is none of bridge, private, vepa, passthru"),
        ({"com.docker.network.bridge.enable_icc": "false"}, "enable_icc is not supported"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(world, lan, options, message):
    with pytest.raises(FatalError, match=message):
        world.network(LAN, driver=MACVLAN, driver_options={"parent": "lan", **options}, **SUBNET)
    assert world.interfaces() == {"lan"}
    assert lease_file.load(world.home).networks == {}


@needs_macvlan
def test_subnets_of_two_networks_do_not_overlap(world, lan):
    parented(world)
    with pytest.raises(FatalError, match=r"overlaps 192\.168\.77\.0/24, the subnet of network s_lan"):
        parented(world, name="s_other")


@pytest.mark.parametrize("driver", [MACVLAN, IPVLAN])
def test_a_kernel_without_the_driver_is_named(world, lan, monkeypatch, driver):
    """Where the kernel has it, it is asked for a kind that no kernel has."""
    if driver in KINDS:
        monkeypatch.setattr(sub_interface, "_new", with_kind(sub_interface._new, "nokind"))
    with pytest.raises(FatalError, match=f"this kernel has no interfaces of the kind {driver}") as caught:
        parented(world, driver)
    assert f"load the module {driver}" in caught.value.hint
    assert lease_file.load(world.home).networks == {}


def with_kind(function, kind):
    return lambda _, *arguments: function(kind, *arguments)


@needs_macvlan
def test_without_a_parent_it_leads_nowhere(world, lan):
    if "dummy" not in KINDS:
        with pytest.raises(FatalError, match="this kernel has no interfaces of the kind dummy") as caught:
            parented(world, parent="")
        assert "parent: NAME" in caught.value.hint
        return
    parented(world, parent="")
    web, db = world.attach("web", LAN), world.attach("db", LAN)
    world.serve(web.namespace_path, 80)
    assert world.ask(db.namespace_path, "192.168.77.128", 80).startswith("hello")
    assert not [route for route in routes(web) if "default" in route]
    assert link.bridge_name(world.home, LAN) in world.interfaces()
    for each in (web, db):
        world.detach(each)
    network.remove_network(world.home, "s", LAN)
    assert world.interfaces() == {"lan"}


@needs("macvlan", "vlan")
def test_a_vlan_is_made_and_removed_with_the_last_network_on_it(world, lan):
    parented(world, parent="lan.100")
    parented(world, name="s_two", parent="lan.100", subnet="10.5.0.0/24", gateway="", ip_range="")
    with inside(lan, Netlink) as there:
        there.send(sub_interface.new_vlan("tagged", below=there.link("uplink").number, tag=100))
        there.send(netlink.add_address(there.link("tagged").number, "10.5.0.200", 24), netlink.set_up("tagged"))
    world.serve(lan, 81, b"tagged", host="10.5.0.200")
    web = world.attach("web", "s_two")
    assert world.ask(web.namespace_path, "10.5.0.200", 81) == f"tagged {web.addresses['s_two']}"
    network.remove_network(world.home, "s", LAN)
    assert "lan.100" in world.interfaces()
    world.detach(web)
    network.remove_network(world.home, "s", "s_two")
    assert world.interfaces() == {"lan"}


@needs("macvlan", "vlan")
def test_a_vlan_that_was_there_before_stays(world, lan):
    with Netlink() as host:
        host.send(sub_interface.new_vlan("lan.7", below=host.link("lan").number, tag=7), netlink.set_up("lan.7"))
    parented(world, parent="lan.7")
    network.remove_network(world.home, "s", LAN)
    assert world.interfaces() == {"lan", "lan.7"}


@needs("ipvlan")
@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_on_ipvlan_containers_share_the_hardware_address(world, lan, mode):
    parented(
        world, IPVLAN, mode=mode, **({} if mode == "l2" else {"subnet": "10.5.0.0/24", "gateway": "", "ip_range": ""})
    )
    # A parent that routes answers no questions for the addresses behind it.
    inside(lan, subprocess.run, ["ip", "route", "add", "10.5.0.0/24", "via", "192.168.77.1"], check=True)
    web, db = world.attach("web", LAN), world.attach("db", LAN)
    with Netlink() as host, inside(web.namespace_path, Netlink) as own:
        assert own.link("eth0").peer == host.link("lan").number
    world.serve(web.namespace_path, 80)
    assert world.ask(db.namespace_path, web.addresses[LAN], 80) == f"hello {db.addresses[LAN]}"
    assert world.ask(web.namespace_path, "192.168.77.2", 80) == f"lan {web.addresses[LAN]}"
    assert world.ask(lan, web.addresses[LAN], 80) == "hello 192.168.77.2"
    assert routes(web)[0].startswith("default via 192.168.77.2 dev eth0" if mode == "l2" else "default dev eth0")


@needs("ipvlan")
def test_on_ipvlan_a_hardware_address_is_refused(world, lan):
    parented(world, IPVLAN)
    with pytest.raises(FatalError, match="on the ipvlan network s_lan it has its parent's mac_address"):
        world.attach("web", Endpoint(LAN, mac_address="02:00:00:00:00:77"))


@needs("macvlan", "ipvlan")
def test_a_parent_has_one_driver(world, lan):
    parented(world)
    with pytest.raises(FatalError, match=r"network s_lan \(macvlan, bridge\) has the parent lan already"):
        parented(world, IPVLAN, name="s_ip", subnet="10.5.0.0/24", gateway="", ip_range="")
