"""What is left of stacks that are gone is found and removed."""

from __future__ import annotations

import os
import time

from orchestra.driver.local.net import lease_file, leftovers, link, network
from orchestra.driver.local.net.endpoint import pinned_ids
from orchestra.driver.local.net.leftovers import Kind, Leftover, find_leftovers, remove_leftover
from orchestra.driver.local.record import ContainerRecord, store_record
from orchestra.home import find_home
from orchestra.linux.network.netlink import Netlink
from orchestra.model.observed import Image
from orchestra.plan.predict import created
from orchestra.record import replace

from .conftest import World, eventually, needs_network

pytestmark = needs_network


def lives(_stack):
    return True


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
    container = created(world.spec("web"), Image("web", ""), time.time(), {}, {})
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
