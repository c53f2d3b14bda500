"""Containers that change their networks while they exist, on a host that the test made."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

import pytest

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import lease_file, network
from orchestra.driver.local.net.connection import connect, disconnect
from orchestra.driver.local.net.drift import find_losses
from orchestra.errors import FatalError, TemporaryError
from orchestra.linux.network.namespace import inside
from orchestra.linux.network.netlink import Netlink
from orchestra.model.container import Endpoint
from orchestra.model.names import NetworkName
from orchestra.model.observed import BY_HAND
from orchestra.model.sharing import OfService
from tests.forking import fork

from .conftest import needs_network

pytestmark = needs_network


def endpoint(name: str, **more) -> Endpoint:
    return Endpoint(NetworkName(name), config_hash=f"{name} v1", **more)


@pytest.fixture
def web(world):
    world.network("s_front")
    world.network("s_back")
    return world.attach("web", endpoint("s_front"))


def home_of(world, name: str = "web") -> str:
    return world.home.stack("s").container(f"s-{name}-1")


def joined(world, *arguments, **more):
    return connect(world.home, "s", home_of(world), endpoint(*arguments, **more))


def left(world, name: str, **more):
    return disconnect(world.home, "s", home_of(world), name, **more)


def look_inside(attachment) -> tuple[dict[str, list[str]], list[str]]:
    """The addresses of each interface, and the gateways of default routes."""
    with inside(attachment.namespace_path, Netlink) as own:
        names = {found.number: found.name for found in own.links() if not found.loopback}
        addresses = {name: [] for name in names.values()}
        for found in own.addresses():
            if found.link in names:
                addresses[names[found.link]].append(found.address)
        routes = [found for found in own.routes() if found.prefix == 0]
        return addresses, [names[route.link] for route in routes]


def assert_whole(world, attachment) -> None:
    """Kernel, leases, attachment and hosts file say the same."""
    assert attachments.load(home_of(world)) == attachment
    addresses, _ = look_inside(attachment)
    assert addresses == {interface.device: [interface.address] for interface in attachment.interfaces}
    leases = lease_file.load(world.home).networks
    held = {name: lease.addresses.get(attachment.container_id) for name, lease in leases.items()}
    assert {name: address for name, address in held.items() if address} == attachment.addresses
    assert find_losses(world.home, "s") == {}
    own = [line for line in attachment.hosts.splitlines() if line.endswith("\ts-web-1")]
    assert own == [f"{address}\ts-web-1" for address in attachment.addresses.values()]


def test_a_connected_container_reaches_the_network_and_keeps_its_first_interface(world, web):
    db = world.attach("db", endpoint("s_back"))
    world.serve(db.namespace_path, 5432)
    assert world.cannot_reach(web.namespace_path, db.addresses["s_back"], 5432)
    made = joined(world, "s_back", aliases=("shop",))
    assert made.addresses["s_front"] == web.addresses["s_front"]
    assert [found.device for found in made.interfaces] == ["eth1", "eth0"]
    assert "shop" in made.interfaces[0].names
    assert world.ask(web.namespace_path, db.addresses["s_back"], 5432) == f"hello {made.addresses['s_back']}"
    assert_whole(world, made)
    assert_whole(world, left(world, "s_back"))
    assert world.cannot_reach(web.namespace_path, db.addresses["s_back"], 5432)


def test_the_default_route_and_published_ports_follow_the_networks(world):
    world.network("s_front")
    world.network("s_back")
    web = world.attach("web", endpoint("s_front"), ports=[(80, 8080)])
    world.serve(web.namespace_path, 80)
    made = joined(world, "s_back", gateway_priority=1)
    assert look_inside(made)[1] == ["eth1"]
    network.apply(world.home, "s")
    assert world.ask(None, "127.0.0.1", 8080).startswith("hello")
    assert look_inside(left(world, "s_back"))[1] == ["eth0"]
    network.apply(world.home, "s")
    assert world.ask(None, "127.0.0.1", 8080).startswith("hello")
    assert look_inside(left(world, "s_front")) == ({}, [])
    network.apply(world.home, "s")
    assert world.cannot_reach(None, "127.0.0.1", 8080)


def test_aliases_change_in_place_and_an_address_by_a_new_interface(world, web):
    with inside(web.namespace_path, Netlink) as own:
        number = own.link("eth0").number
    named = joined(world, "s_front", aliases=("other",))
    with inside(web.namespace_path, Netlink) as own:
        assert own.link("eth0").number == number
    wanted = web.interfaces[0].address.rpartition(".")[0] + ".77"
    moved = joined(world, "s_front", ipv4_address=wanted)
    assert moved.addresses == {"s_front": wanted}
    assert "other" in named.interfaces[0].names
    assert "other" not in moved.interfaces[0].names
    assert_whole(world, moved)


def test_an_address_that_the_file_gives_to_another_is_given_up(world, web):
    held = web.addresses["s_front"]
    with pytest.raises(TemporaryError, match="still leased"):
        connect(world.home, "s", attach_second(world), endpoint("s_front", ipv4_address=held))
    assert joined(world, "s_front", reserved=(held,)).addresses["s_front"] != held
    second = connect(world.home, "s", home_of(world, "db"), endpoint("s_front", ipv4_address=held))
    assert second.addresses == {"s_front": held}


def attach_second(world) -> str:
    world.attach("db", endpoint("s_front"))
    return home_of(world, "db")


def test_containers_that_share_the_network_get_the_new_hosts_file(world, web):
    side = world.attach("side", network_mode=OfService("web"))
    path = f"{home_of(world, 'side')}/hosts"
    with open(path, "w") as file:
        file.write(side.hosts + "192.0.2.1\tmine")
    made = joined(world, "s_back")
    lines = [f"{address}\ts-web-1" for address in made.addresses.values()]
    with open(path) as file:
        assert file.read().splitlines()[-3:] == ["192.0.2.1\tmine", *lines]
    with pytest.raises(FatalError, match="has no networks of its own"):
        connect(world.home, "s", home_of(world, "side"), endpoint("s_back"))


def test_a_hosts_file_that_the_container_has_blown_up_is_left_alone(world, web):
    path = f"{home_of(world)}/hosts"
    with open(path, "w") as file:
        file.truncate(1 << 40)
    made = joined(world, "s_back")
    assert os.stat(path).st_size == 1 << 40
    assert f"{made.addresses['s_back']}\ts-web-1" in made.hosts


def test_what_was_done_by_hand_is_recorded_as_such(world, web):
    made = connect(world.home, "s", home_of(world), endpoint("s_back"), by_hand=True)
    assert {found.network: found.config_hash for found in made.interfaces} == {
        "s_back": BY_HAND,
        "s_front": "s_front v1",
    }
    assert list(left(world, "s_front", by_hand=True).left) == ["s_front"]
    assert joined(world, "s_front").left == {}


class Steps:
    """Counts changes of files and requests to the kernel; the process dies just before the one at ``point``."""

    def __init__(self, point: int) -> None:
        self.point = point
        self.count = 0

    def step(self) -> None:
        self.count += 1
        if self.count == self.point:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        send = Netlink.send

        def counted(connection: Netlink, *requests) -> None:
            self.step()
            send(connection, *requests)

        def audit(event: str, arguments) -> None:
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if writes or event in ("os.rename", "os.truncate"):
                self.step()

        Netlink.send = counted  # type: ignore[method-assign]
        sys.addaudithook(audit)


def is_killed(point: int, body) -> bool:
    """Whether ``body`` comes so far, in a process of its own, that it is killed there."""
    pid = fork()
    if pid == 0:
        try:
            Steps(point).watch()
            body()
            os._exit(0)
        finally:
            os._exit(99)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def points(body):
    """Die in ``body`` at every point, one after the other, and yield what the point was."""
    point = 1
    while is_killed(point, body):
        yield point
        point += 1
    assert point > 8


def test_connecting_and_disconnecting_can_be_killed_at_any_point(world, web):
    """The next pass completes it, or takes it back if the file has changed meanwhile."""
    for point in points(lambda: joined(world, "s_back")):
        network.restore(world.home, "s")
        if point % 2:
            assert_whole(world, joined(world, "s_back"))
        assert_whole(world, left(world, "s_back"))
    first = joined(world, "s_back").addresses["s_back"]
    for point in points(lambda: left(world, "s_back")):
        network.restore(world.home, "s")
        if point % 2:
            assert_whole(world, left(world, "s_back"))
        assert_whole(world, joined(world, "s_back"))
    moved = first.rpartition(".")[0] + ".77"
    for point in points(lambda: joined(world, "s_back", ipv4_address=moved)):
        network.restore(world.home, "s")
        wanted = moved if point % 2 else first
        assert_whole(world, joined(world, "s_back", ipv4_address=wanted))
        assert_whole(world, joined(world, "s_back", ipv4_address=first))


def test_a_network_of_both_families_is_joined_and_left(world, web):
    world.network("s_both", ipv6=True)
    made = joined(world, "s_both")
    interface = next(found for found in made.interfaces if found.network == "s_both")
    assert len(interface.addresses) == 2
    assert find_losses(world.home, "s") == {}
    assert [line.split()[0] for line in made.hosts.splitlines()[-3:-1]] == list(interface.addresses)
    network.restore(world.home, "s")
    assert interface.addresses == tuple(
        pool.addresses[made.container_id] for pool in lease_file.load(world.home).networks["s_both"].pools
    )
    assert_whole(world, left(world, "s_both"))


def test_two_containers_exchange_their_addresses(world, web):
    prefix = web.addresses["s_front"].rpartition(".")[0]
    one, two = reserved = (f"{prefix}.10", f"{prefix}.11")
    world.attach("db", endpoint("s_front", ipv4_address=two, reserved=reserved))
    joined(world, "s_front", ipv4_address=one, reserved=reserved)
    with pytest.raises(TemporaryError, match=f"ipv4_address {two} is still leased to another container"):
        joined(world, "s_front", ipv4_address=two, reserved=reserved)
    assert attachments.load(home_of(world)).addresses == {}
    other = connect(world.home, "s", home_of(world, "db"), endpoint("s_front", ipv4_address=one, reserved=reserved))
    web = joined(world, "s_front", ipv4_address=two, reserved=reserved)
    assert (web.addresses["s_front"], other.addresses["s_front"]) == (two, one)
    assert_whole(world, web)
    world.serve(other.namespace_path, 80)
    assert world.ask(web.namespace_path, one, 80) == f"hello {two}"


def test_an_exchange_of_addresses_can_be_killed_at_any_point(world, web):
    prefix = web.addresses["s_front"].rpartition(".")[0]
    one, two = reserved = (f"{prefix}.10", f"{prefix}.11")
    db = attach_second(world)

    def give(address, *, to_web):
        directory = home_of(world) if to_web else db
        return connect(world.home, "s", directory, endpoint("s_front", ipv4_address=address, reserved=reserved))

    def exchange():
        with contextlib.suppress(TemporaryError):
            give(two, to_web=True)

    give(one, to_web=True)
    give(two, to_web=False)
    for _ in points(exchange):
        network.restore(world.home, "s")
        exchange()
        assert give(one, to_web=False).addresses == {"s_front": one}
        assert_whole(world, give(two, to_web=True))
        assert find_losses(world.home, "s") == {}
        with pytest.raises(TemporaryError):
            give(one, to_web=True)
        give(two, to_web=False)
        give(one, to_web=True)
