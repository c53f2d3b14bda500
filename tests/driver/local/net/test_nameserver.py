"""Names are asked for as a container does: at 127.0.0.11, from within its namespace."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
from functools import partial
from pathlib import Path

import anyio
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from anyio.to_thread import run_sync

from orchestra.driver.local.net import network
from orchestra.driver.local.net.nameserver import QUESTIONS_MAX, TABLE, serving_names
from orchestra.driver.local.net.resolver import CONNECTIONS_MAX
from orchestra.driver.local.net.shares import Shares
from orchestra.linux.network.namespace import inside
from orchestra.linux.network.nftables import has_table

from .conftest import eventually, needs_network

pytestmark = [*needs_network, pytest.mark.anyio]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def stack(world):
    """Two replicas of db and one web, running as far as anybody can tell."""
    world.network()
    world.web = world.attach("web", dns=("127.0.0.1",))
    world.db = world.attach("db")
    for attachment in (world.web, world.db):
        mark_running(world, attachment)
    network.apply(world.home, world.stack)
    return world


def mark_running(world, attachment, stack="s"):
    Path(world.home.stack(stack).container(attachment.container), "state.json").touch()


def mark_exited(world, attachment):
    Path(world.home.stack("s").container(attachment.container), "exit.json").touch()


def ask_udp(attachment, name, kind="A", server=("127.0.0.11", 53), **more):
    query = dns.message.make_query(name, kind, **more)
    with inside(attachment.namespace_path, socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(30)
        client.connect(server)
        client.send(query.to_wire())
        return dns.message.from_wire(client.recv(65535))


def ask_tcp(attachment, name, kind="A"):
    query = dns.message.make_query(name, kind).to_wire()
    with inside(attachment.namespace_path, socket.socket, socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(30)
        client.connect(("127.0.0.11", 53))
        client.sendall(struct.pack("!H", len(query)) + query)
        stream = client.makefile("rb")
        (length,) = struct.unpack("!H", stream.read(2))
        return dns.message.from_wire(stream.read(length))


def addresses(reply):
    return {record.address for rrset in reply.answer for record in rrset if rrset.rdtype == dns.rdatatype.A}


async def ask(function, *arguments, **more):
    return await run_sync(partial(function, *arguments, **more))


async def test_services_containers_and_aliases_are_found_over_udp_and_tcp(stack):
    async with serving_names(stack.home, stack.stack):
        address = stack.db.addresses["s_default"]
        for name in ("db", "DB.", "s-db-1", "db.s_default"):
            assert addresses(await ask(ask_udp, stack.web, name)) == {address}
            assert addresses(await ask(ask_tcp, stack.web, name)) == {address}


async def test_a_known_name_has_no_other_records_and_is_not_asked_elsewhere(stack):
    async with serving_names(stack.home, stack.stack, upstream_port=1):
        reply = await ask(ask_udp, stack.web, "db", "AAAA")
    assert (reply.rcode(), reply.answer) == (dns.rcode.NOERROR, [])


async def test_addresses_have_names(stack):
    async with serving_names(stack.home, stack.stack):
        pointer = ".".join(reversed(stack.db.addresses["s_default"].split("."))) + ".in-addr.arpa"
        reply = await ask(ask_udp, stack.web, pointer, "PTR")
    assert str(reply.answer[0][0].target) == "s-db-1.s_default."


async def test_a_stopped_container_is_not_found_and_not_asked_for_elsewhere(stack):
    mark_exited(stack, stack.db)
    async with serving_names(stack.home, stack.stack, upstream_port=1):
        assert (await ask(ask_udp, stack.web, "db")).rcode() == dns.rcode.NXDOMAIN


async def test_a_restarted_supervisor_serves_the_same_containers(stack):
    for _ in range(2):
        async with serving_names(stack.home, stack.stack):
            assert addresses(await ask(ask_udp, stack.web, "db")) == {stack.db.addresses["s_default"]}


async def test_a_container_may_serve_port_53_itself(stack):
    with inside(stack.web.namespace_path, socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("0.0.0.0", 53))
        async with serving_names(stack.home, stack.stack):
            assert addresses(await ask(ask_udp, stack.web, "db")) == {stack.db.addresses["s_default"]}


async def test_rules_that_a_container_removes_come_back(stack):
    async with serving_names(stack.home, stack.stack):
        for _ in range(2):
            await ask(inside, stack.web.namespace_path, subprocess.run, ["nft", "flush", "ruleset"], check=True)
            assert await ask(eventually, lambda: inside(stack.web.namespace_path, has_table, TABLE))
            assert addresses(await ask(ask_udp, stack.web, "db")) == {stack.db.addresses["s_default"]}
            assert addresses(await ask(ask_tcp, stack.db, "web")) == {stack.web.addresses["s_default"]}


async def test_a_removed_container_leaves_no_namespace(stack):
    def interfaces():
        return len(stack.interfaces())

    async with serving_names(stack.home, stack.stack) as server:
        before = interfaces()
        server.remove(stack.web.container)
        await ask(stack.detach, stack.web)
        assert await ask(eventually, lambda: interfaces() == before - 1)


async def test_names_of_another_stack_on_a_shared_network_are_found(stack):
    stack.network("s_default", stack="other", external=True)
    other = stack.attach("mail", "s_default", stack="other")
    mark_running(stack, other, "other")
    network.apply(stack.home, "other")
    async with serving_names(stack.home, stack.stack):
        assert addresses(await ask(ask_udp, stack.web, "mail")) == {other.addresses["s_default"]}


class Upstream:
    """A name server on the host that knows one name, and notes what it was asked."""

    def __init__(self, transport="udp") -> None:
        self.asked = []
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        if transport == "tcp":
            self.socket.listen()

    def answer(self, wire):
        query = dns.message.from_wire(wire)
        self.asked.append(query)
        reply = dns.message.make_response(query)
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "192.0.2.7"))
        return reply.to_wire()

    def answer_one_udp(self):
        wire, client = self.socket.recvfrom(65535)
        self.socket.sendto(b"\0\0" + self.answer(wire)[2:], client)  # a stranger's reply comes first
        self.socket.sendto(self.answer(wire), client)

    def answer_one_tcp(self):
        connection, _ = self.socket.accept()
        with connection:
            stream = connection.makefile("rb")
            reply = self.answer(stream.read(struct.unpack("!H", stream.read(2))[0]))
            connection.sendall(struct.pack("!H", len(reply)) + reply)

    def __enter__(self) -> Upstream:
        self.socket.settimeout(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


async def test_other_names_are_asked_of_the_containers_own_servers(stack):
    with Upstream() as upstream:
        async with (
            serving_names(stack.home, stack.stack, upstream_port=upstream.port),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(run_sync, upstream.answer_one_udp)
            reply = await ask(ask_udp, stack.web, "example.org", use_edns=0, payload=1232)
    assert addresses(reply) == {"192.0.2.7"}
    assert upstream.asked[0].payload == 1232


async def test_other_names_are_asked_over_tcp_when_the_container_does(stack):
    with Upstream("tcp") as upstream:
        async with (
            serving_names(stack.home, stack.stack, upstream_port=upstream.port),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(run_sync, upstream.answer_one_tcp)
            assert addresses(await ask(ask_tcp, stack.web, "example.org")) == {"192.0.2.7"}


async def test_unreachable_servers_are_a_server_failure_at_once(stack):
    with Upstream() as upstream:
        free = upstream.port
    async with serving_names(stack.home, stack.stack, upstream_port=free):
        assert (await ask(ask_udp, stack.web, "example.org")).rcode() == dns.rcode.SERVFAIL
        assert (await ask(ask_tcp, stack.web, "example.org")).rcode() == dns.rcode.SERVFAIL


async def test_an_internal_network_asks_no_server_outside(world):
    world.network(internal=True)
    web = world.attach("web", dns=("127.0.0.1",))
    with Upstream() as upstream:
        async with serving_names(world.home, world.stack, upstream_port=upstream.port):
            assert (await ask(ask_udp, web, "example.org")).rcode() == dns.rcode.NXDOMAIN
    assert upstream.asked == []


async def test_nonsense_is_refused_and_harmless(stack):
    def send_nonsense():
        with inside(stack.web.namespace_path, socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.11", 53))
            client.settimeout(30)
            client.send(b"\x12")
            client.send(b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\xff")
            return client.recv(512)

    async with serving_names(stack.home, stack.stack):
        reply = await run_sync(send_nonsense)
        assert (reply[:2], reply[3] & 0xF) == (b"\x12\x34", dns.rcode.FORMERR)
        assert addresses(await ask(ask_udp, stack.web, "db"))


async def test_many_names_at_once_are_all_answered(stack):
    replies = []

    async def one():
        replies.append(await ask(ask_udp, stack.web, "db"))

    async with serving_names(stack.home, stack.stack), anyio.create_task_group() as tasks:
        for _ in range(60):
            tasks.start_soon(one)
    assert len(replies) == 60
    assert all(addresses(reply) == {stack.db.addresses["s_default"]} for reply in replies)


def open_client(attachment, kind=socket.SOCK_DGRAM):
    client = inside(attachment.namespace_path, socket.socket, socket.AF_INET, kind)
    client.settimeout(30)
    client.connect(("127.0.0.11", 53))
    return client


def arrived(client):
    """How many datagrams have come."""
    client.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while client.recv(65535):
            count += 1
    return count


def receive(client, count):
    for _ in range(count):
        client.recv(65535)


async def test_a_flood_of_one_container_takes_turns_with_the_questions_of_others(stack):
    query = dns.message.make_query("db", "A").to_wire()
    async with serving_names(stack.home, stack.stack):
        with open_client(stack.web) as flood, open_client(stack.db) as calm:
            for client, count in ((flood, 200), (calm, 20)):  # all of it waits before anything is answered
                for _ in range(count):
                    client.send(query)
            await run_sync(receive, calm, 20)
            assert arrived(flood) < 100


async def test_servers_that_never_answer_hold_up_one_containers_questions_only(stack):
    outside, local = (dns.message.make_query(name, "A").to_wire() for name in ("example.org", "db"))
    stack.db = stack.attach("db2", dns=("127.0.0.1",))
    with Upstream() as upstream:
        async with serving_names(stack.home, stack.stack, upstream_port=upstream.port):
            with open_client(stack.web) as flood, open_client(stack.db) as calm:
                for _ in range(150):
                    flood.send(outside)
                await ask(ask_udp, stack.web, "db")  # in line behind all of them
                assert arrived(upstream.socket) == QUESTIONS_MAX
                calm.send(local)
                calm.send(outside)
                await run_sync(receive, calm, 1)
                upstream.socket.settimeout(30)
                assert (await run_sync(upstream.socket.recv, 512))[2:] == outside[2:]


async def test_idle_connections_of_a_container_are_bounded_and_hold_up_none(stack):
    async with serving_names(stack.home, stack.stack):
        with contextlib.ExitStack() as open_ones:
            made = [await ask(open_client, stack.web, socket.SOCK_STREAM) for _ in range(CONNECTIONS_MAX + 10)]
            idle = [open_ones.enter_context(connection) for connection in made]
            assert addresses(await ask(ask_tcp, stack.db, "db"))
            assert addresses(await ask(ask_tcp, stack.web, "db"))
            for connection in idle[:10]:  # the oldest are closed
                assert await run_sync(connection.recv, 1) == b""
            idle[-1].setblocking(False)
            with pytest.raises(BlockingIOError):
                idle[-1].recv(1)


def test_places_are_shared_among_those_that_want_some():
    shares = Shares(total=8, most=6)
    assert [shares.take("a") for _ in range(8)] == [True] * 6 + [False] * 2
    assert [shares.take("b") for _ in range(5)] == [True] * 4 + [False]
    shares.give_back("b")
    assert shares.take("b")
    for _ in range(6):
        shares.give_back("a")
    assert [shares.take("b") for _ in range(3)] == [True, True, False]
    assert all(Shares(total=1, most=1).take(name) for name in "abc")
