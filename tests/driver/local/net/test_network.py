"""Real bridges, namespaces and rules, on a host that the test made."""

from __future__ import annotations

import time

from orchestra.driver.local.net import network

from .conftest import needs_network

pytestmark = needs_network


def test_two_containers_on_one_network_reach_each_other(world):
    world.network()
    web, db = world.attach("web"), world.attach("db")
    world.serve(db.namespace_path, 5432)
    assert world.ask(web.namespace_path, db.addresses["s_default"], 5432) == f"hello {web.addresses['s_default']}"


def test_networks_are_isolated_from_each_other(world):
    world.network("s_front")
    world.network("s_back")
    network.apply(world.home, world.stack)
    web, db = world.attach("web", "s_front"), world.attach("db", "s_back")
    world.serve(db.namespace_path, 5432)
    assert world.cannot_reach(web.namespace_path, db.addresses["s_back"], 5432)
    assert world.ask(None, db.addresses["s_back"], 5432).startswith("hello")


def test_a_published_port_answers_on_loopback_and_on_other_addresses(world):
    world.network()
    outside = world.outside("lan", "192.168.77")
    web = world.attach("web", ports=[(80, 8080)])
    world.serve(web.namespace_path, 80)
    network.apply(world.home, world.stack)
    assert world.ask(None, "127.0.0.1", 8080).startswith("hello")
    assert world.ask(None, "192.168.77.1", 8080).startswith("hello")
    assert world.ask(outside, "192.168.77.1", 8080) == "hello 192.168.77.2"


def test_attaching_is_quick(world):
    world.network()
    for n in range(20):
        s = time.perf_counter()
        world.attach(f"w{n}", ports=[(80, 8000 + n)])
        print("attach", (time.perf_counter() - s) * 1e3)
    for n in range(3):
        s = time.perf_counter()
        network.apply(world.home, world.stack)
        print("apply", (time.perf_counter() - s) * 1e3)
