from __future__ import annotations

import pytest

from orchestra.names.message import pack_address, wire_name
from orchestra.names.zone import Addresses, Named, Standing, View, Zone, directory_of


def named(container, address, *names):
    return Named(container, f"/{container}", (pack_address(address),), names)


def zone(*published, runs=lambda _directory: True, own="", links=()):
    return Zone(View(own, links=links), directory_of(published), lambda directory: Standing(runs=runs(directory)))


def found(zone, name):
    addresses = zone.addresses(wire_name(name))
    return addresses and [".".join(map(str, address)) for address in (*addresses.first, *addresses.later)]


def test_a_zone_knows_names_with_and_without_their_network():
    made = zone(("front", named("s-web-1", "10.0.0.2", "web", "Alias")), ("back", named("s-db-1", "10.0.1.2", "db")))
    for name in ("web", "web.front", "alias", "alias.FRONT"):
        assert found(made, name) == ["10.0.0.2"]
    assert found(made, "web.back") is None
    assert made.pointer(wire_name("2.0.0.10.in-addr.arpa")) == wire_name("s-web-1.front")
    assert made.pointer(wire_name("3.0.0.10.in-addr.arpa")) is None


def test_only_running_containers_are_found_and_the_asking_one():
    published = [("net", named(name, f"10.0.0.{number}", "web")) for number, name in enumerate("abc")]
    made = zone(*published, runs=lambda directory: directory == "/b", own="c")
    assert found(made, "web") == ["10.0.0.1", "10.0.0.2"]
    assert zone(*published, runs=lambda _: False).addresses(wire_name("web")) == Addresses()


def test_one_container_on_two_networks_is_found_on_both():
    made = zone(("front", named("a", "10.0.0.2", "web")), ("back", named("a", "10.0.1.2", "web")))
    assert found(made, "web") == ["10.0.0.2", "10.0.1.2"]
    assert found(made, "web.back") == ["10.0.1.2"]


def test_an_external_link_leads_to_the_container_of_another_stack_and_hides_other_names():
    theirs = named("shop-db-1", "10.0.0.2", "db", "shop-db-1")
    links = (("Store", "shop-db-1"), ("gone", "shop-web-1"))
    made = zone(("shared", theirs), ("shared", named("gone", "10.0.0.3", "gone")), links=links)
    assert (found(made, "store"), found(made, "db"), found(made, "gone")) == (["10.0.0.2"], ["10.0.0.2"], [])


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64, ".".join(["x" * 63] * 4)])
def test_what_cannot_be_a_name_is_left_out(name):
    assert wire_name(name) is None
    assert zone(("net", named("a", "10.0.0.2", name, "web"))).has(wire_name("web"))
