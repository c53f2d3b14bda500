"""Interfaces forward while containers need it."""

from __future__ import annotations

from orchestra.driver.local.net import link, network
from orchestra.home import find_home

from .conftest import World, needs_network

pytestmark = needs_network


def sysctl(name, key="forwarding"):
    return link.get_sysctl(name, key)


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
