"""The drivers of networks: what a file may ask of each, and what it is told."""

from __future__ import annotations

import pytest

from orchestra.model.network_driver import NetworkDriver

LAN = "networks: {lan: {driver: %s, driver_opts: {parent: eth0%s}, ipam: {config: [{subnet: 10.9.0.0/24}]}}}\n"


def service(more=""):
    return f"services:\n  web: {{image: x, networks: [lan]{more}}}\n"


@pytest.mark.parametrize("driver", ["macvlan", "ipvlan"])
def test_a_network_has_its_driver(folder, driver):
    loaded = folder.load(service() + LAN % (driver, ""))
    (network,) = loaded.desired.networks
    assert (network.driver, network.driver_options) == (NetworkDriver(driver), {"parent": "eth0"})
    assert loaded.not_applied == ()


def test_an_unknown_driver_is_reported_and_becomes_a_bridge(folder):
    loaded = folder.load(service() + LAN % ("overlay", ""))
    assert loaded.desired.networks[0].driver is NetworkDriver.BRIDGE
    (left,) = loaded.not_applied
    assert (left.message, left.subject) == (
        "unknown driver overlay; the network is created as a bridge",
        "networks.lan.driver",
    )


def test_a_network_without_a_parent_leads_nowhere_so_ports_lead_through_another(folder):
    text = "services: {web: {image: x, ports: ['80'], networks: [zone, lan]}}\n" + LAN % ("macvlan", "")
    loaded = folder.load(text.replace("networks: {lan", "networks: {zone: {}, lan").replace("{parent: eth0}", "{}"))
    assert (len(loaded.desired.containers[0].ports), loaded.not_applied) == (1, ())


def test_ports_are_reported_where_the_network_publishes_none(folder):
    loaded = folder.load(service(", ports: ['8080:80']") + LAN % ("macvlan", ""))
    assert loaded.desired.containers[0].ports == ()
    (left,) = loaded.not_applied
    assert (left.message, left.subject) == (
        "a network with the driver macvlan publishes no ports",
        "services.web.ports",
    )
    assert "at its own address" in left.hint


@pytest.mark.parametrize(
    ("networks", "published"), [("[lan]", 0), ("[back, lan]", 1), ("{back: {}, lan: {gw_priority: 1}}", 0)]
)
def test_the_leading_network_decides_about_ports(folder, networks, published):
    text = f"services: {{web: {{image: x, ports: ['80'], networks: {networks}}}}}\n" + LAN % ("macvlan", "")
    loaded = folder.load(text.replace("networks: {lan", "networks: {back: {}, lan"))
    assert len(loaded.desired.containers[0].ports) == published
    assert len(loaded.not_applied) == 1 - published


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (
            service() + LAN % ("macvlan", ", macvlan_mode: l2"),
            "3:77",
            "'l2' is none of bridge, private, vepa, passthru",
        ),
        (service() + LAN % ("ipvlan", ", ipvlan_mode: l4"), "3:75", "'l4' is none of l2, l3, l3s"),
        (service() + LAN % ("ipvlan", ", ipvlan_flag: x"), "3:75", "'x' is none of bridge, private, vepa"),
        (service() + (LAN % ("macvlan", "")).replace("eth0", "lo"), "3:57", "loopback interface leads to no network"),
        (
            service().replace("[lan]", "{lan: {mac_address: 02:00:00:00:00:01}}") + LAN % ("ipvlan", ""),
            "2:49",
            "containers have the hardware address of its parent",
        ),
    ],
)
def test_what_the_driver_does_not_have_is_refused_at_its_place(folder, text, place, said):
    shown = folder.refused(text)
    assert said in shown
    assert f"compose.yaml:{place}" in shown
