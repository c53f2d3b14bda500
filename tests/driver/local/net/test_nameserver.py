"""Names are asked for as a container does: at 127.0.0.11, from within its namespace."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from functools import partial
from pathlib import Path

import anyio
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from anyio.to_thread import run_sync

from orchestra.container import wire
from orchestra.driver.local.net import network
from orchestra.driver.local.net.nameserver import TABLE, serving_names
from orchestra.linux.network.namespace import inside
from orchestra.linux.network.nftables import has_table
from orchestra.linux.security.capabilities import NUMBERS
from orchestra.names.resolver import CONNECTIONS_MAX, QUESTIONS_MAX

from .conftest import eventually, needs_network

SO_TIMESTAMPNS = 35

pytestmark = [*needs_network, pytest.mark.anyio]


@pytest.fixture
def anyio_backend():
    return "asyncio"


PROGRAM = """
import json, socket, sys
from orchestra.names.process import serve
serve(json.loads(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])), int(sys.argv[3]))
"""


@pytest.fixture
def resolvers(world):
    made = Resolvers(world)
    yield made
    made.end()


@pytest.fixture
def serving(resolvers):
    return resolvers.serving


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


class Resolvers:
    """Starts resolvers as a fork server does, but in this test's network."""

    def __init__(self, world) -> None:
        self.world = world
        self.processes: list[subprocess.Popen[bytes]] = []

    @contextlib.asynccontextmanager
    async def serving(self, stack="s", upstream_port=53):
        def launch():
            home = self.world.home
            order = {"socket": home.stack(stack).names_socket, "names": home.names, "home": home.run}
            ours, theirs = socket.socketpair()
            with ours, theirs:
                arguments = [json.dumps(order), str(theirs.fileno()), str(upstream_port)]
                command = [sys.executable, "-c", PROGRAM, *arguments]
                self.processes.append(subprocess.Popen(command, pass_fds=[theirs.fileno()]))
                theirs.close()
                assert wire.receive(ours)[0] == {}

        async with serving_names(self.world.home, stack, launch) as server:
            yield server

    def end(self):
        """Kill those that live."""
        for process in self.processes:
            process.kill()
            process.wait()


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


async def test_services_containers_and_aliases_are_found_over_udp_and_tcp(stack, serving):
    async with serving():
        address = stack.db.addresses["s_default"]
        for name in ("db", "DB.", "s-db-1", "db.s_default"):
            assert addresses(await ask(ask_udp, stack.web, name)) == {address}
            assert addresses(await ask(ask_tcp, stack.web, name)) == {address}


async def test_a_known_name_has_no_other_records_and_is_not_asked_elsewhere(stack, serving):
    async with serving(upstream_port=1):
        reply = await ask(ask_udp, stack.web, "db", "AAAA")
    assert (reply.rcode(), reply.answer) == (dns.rcode.NOERROR, [])


async def test_addresses_have_names(stack, serving):
    async with serving():
        pointer = ".".join(reversed(stack.db.addresses["s_default"].split("."))) + ".in-addr.arpa"
        reply = await ask(ask_udp, stack.web, pointer, "PTR")
    assert str(reply.answer[0][0].target) == "s-db-1.s_default."


async def test_a_stopped_container_is_not_found_and_not_asked_for_elsewhere(stack, serving):
    mark_exited(stack, stack.db)
    async with serving(upstream_port=1):
        assert (await ask(ask_udp, stack.web, "db")).rcode() == dns.rcode.NXDOMAIN


def mark_running_again(world, attachment):
    Path(world.home.stack("s").container(attachment.container), "exit.json").unlink()


async def test_names_are_answered_and_right_while_no_supervisor_lives(stack, resolvers):
    address = {stack.db.addresses["s_default"]}
    async with resolvers.serving():
        assert addresses(await ask(ask_udp, stack.web, "db")) == address
    mark_exited(stack, stack.db)
    assert await ask(eventually, lambda: ask_udp(stack.web, "db").rcode() == dns.rcode.NXDOMAIN)
    mark_running_again(stack, stack.db)
    assert await ask(eventually, lambda: addresses(ask_tcp(stack.web, "db")) == address)
    async with resolvers.serving() as server:
        later = stack.attach("later")
        mark_running(stack, later)
        network.apply(stack.home, stack.stack)
        await server.add(later)
        assert addresses(await ask(ask_udp, later, "db")) == address
        assert await ask(eventually, lambda: addresses(ask_udp(stack.web, "later")))
    assert len(resolvers.processes) == 1


async def test_questions_wait_while_a_killed_resolver_is_replaced(stack, resolvers):
    address = {stack.db.addresses["s_default"]}
    async with resolvers.serving():
        await ask(ask_udp, stack.web, "db")
    async with resolvers.serving():  # which has the sockets from the resolver
        resolvers.end()
        assert addresses(await ask(ask_udp, stack.web, "db")) == address
        resolvers.end()
        assert addresses(await ask(ask_tcp, stack.web, "db")) == address
    assert len(resolvers.processes) == 3
    resolvers.end()
    async with resolvers.serving():  # both were killed
        assert addresses(await ask(ask_udp, stack.web, "db")) == address


async def test_a_resolver_ends_when_nobody_is_left_to_serve(stack, resolvers):
    async with resolvers.serving() as server:
        await ask(ask_udp, stack.web, "db")
        for attachment in (stack.web, stack.db):
            await server.remove(attachment.container)
    (process,) = resolvers.processes
    assert await ask(process.wait, 30) == 0
    assert "names.sock" not in os.listdir(stack.home.stack("s").run)


async def test_a_resolver_ends_with_the_last_container_although_no_supervisor_lives(stack, resolvers):
    async with resolvers.serving():
        await ask(ask_udp, stack.web, "db")
    (process,) = resolvers.processes
    await ask(stack.detach, stack.web)
    assert process.poll() is None
    await ask(stack.detach, stack.db)
    assert await ask(process.wait, 30) == 0


async def test_a_resolver_ends_when_its_socket_is_removed(stack, resolvers):
    async with resolvers.serving():
        await ask(ask_udp, stack.web, "db")
        os.unlink(stack.home.stack("s").names_socket)
        (process,) = resolvers.processes
        assert await ask(process.wait, 30) == 0
        assert addresses(await ask(ask_udp, stack.web, "db")) == {stack.db.addresses["s_default"]}


def status_of(pid):
    return dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


async def test_a_resolver_has_no_privilege_but_to_read(stack, resolvers):
    async with resolvers.serving():
        await ask(ask_udp, stack.web, "db")
        (process,) = resolvers.processes
        status = status_of(process.pid)
    assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 1 << NUMBERS["CAP_DAC_READ_SEARCH"]
    assert status["NoNewPrivs"].split() == ["1"]


async def test_a_container_may_serve_port_53_itself(stack, serving):
    with inside(stack.web.namespace_path, socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("0.0.0.0", 53))
        async with serving():
            assert addresses(await ask(ask_udp, stack.web, "db")) == {stack.db.addresses["s_default"]}


async def test_rules_that_a_container_removes_come_back(stack, serving):
    async with serving():
        for _ in range(2):
            await ask(inside, stack.web.namespace_path, subprocess.run, ["nft", "flush", "ruleset"], check=True)
            assert await ask(eventually, lambda: inside(stack.web.namespace_path, has_table, TABLE))
            assert addresses(await ask(ask_udp, stack.web, "db")) == {stack.db.addresses["s_default"]}
            assert addresses(await ask(ask_tcp, stack.db, "web")) == {stack.web.addresses["s_default"]}


async def test_a_removed_container_leaves_no_namespace(stack, serving):
    def interfaces():
        return len(stack.interfaces())

    async with serving() as server:
        before = interfaces()
        await server.remove(stack.web.container)
        await ask(stack.detach, stack.web)
        assert await ask(eventually, lambda: interfaces() == before - 1)


async def test_names_of_another_stack_on_a_shared_network_are_found(stack, serving):
    stack.network("s_default", stack="other", external=True)
    other = stack.attach("mail", "s_default", stack="other")
    mark_running(stack, other, "other")
    network.apply(stack.home, "other")
    async with serving():
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


async def test_other_names_are_asked_of_the_containers_own_servers(stack, serving):
    with Upstream() as upstream:
        async with (
            serving(upstream_port=upstream.port),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(run_sync, upstream.answer_one_udp)
            reply = await ask(ask_udp, stack.web, "example.org", use_edns=0, payload=1232)
    assert addresses(reply) == {"192.0.2.7"}
    assert upstream.asked[0].payload == 1232


async def test_other_names_are_asked_over_tcp_when_the_container_does(stack, serving):
    with Upstream("tcp") as upstream:
        async with (
            serving(upstream_port=upstream.port),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(run_sync, upstream.answer_one_tcp)
            assert addresses(await ask(ask_tcp, stack.web, "example.org")) == {"192.0.2.7"}


async def test_unreachable_servers_are_a_server_failure_at_once(stack, serving):
    with Upstream() as upstream:
        free = upstream.port
    async with serving(upstream_port=free):
        assert (await ask(ask_udp, stack.web, "example.org")).rcode() == dns.rcode.SERVFAIL
        assert (await ask(ask_tcp, stack.web, "example.org")).rcode() == dns.rcode.SERVFAIL


async def test_an_internal_network_asks_no_server_outside(world, serving):
    world.network(internal=True)
    web = world.attach("web", dns=("127.0.0.1",))
    with Upstream() as upstream:
        async with serving(upstream_port=upstream.port):
            assert (await ask(ask_udp, web, "example.org")).rcode() == dns.rcode.NXDOMAIN
    assert upstream.asked == []


async def test_nonsense_is_refused_and_harmless(stack, serving):
    def send_nonsense():
        with inside(stack.web.namespace_path, socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.11", 53))
            client.settimeout(30)
            client.send(b"\x12")
            client.send(b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\xff")
            return client.recv(512)

    async with serving():
        reply = await run_sync(send_nonsense)
        assert (reply[:2], reply[3] & 0xF) == (b"\x12\x34", dns.rcode.FORMERR)
        assert addresses(await ask(ask_udp, stack.web, "db"))


async def test_many_names_at_once_are_all_answered(stack, serving):
    replies = []

    async def one():
        replies.append(await ask(ask_udp, stack.web, "db"))

    async with serving(), anyio.create_task_group() as tasks:
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


def arrivals(client, count):
    """When the kernel had each of so many datagrams (socket(7), SO_TIMESTAMPNS)."""
    moments = []
    for _ in range(count):
        _, ancillary, _, _ = client.recvmsg(65535, socket.CMSG_SPACE(16))
        moments += [struct.unpack("qq", content) for _, _, content in ancillary]
    return moments


async def test_a_flood_of_one_container_takes_turns_with_the_questions_of_others(stack, resolvers):
    query = dns.message.make_query("db", "A").to_wire()
    async with resolvers.serving():
        for attachment in (stack.web, stack.db):
            await ask(ask_udp, attachment, "db")
        (process,) = resolvers.processes
        with open_client(stack.web) as flood, open_client(stack.db) as calm:
            process.send_signal(signal.SIGSTOP)  # all of it waits before anything is answered
            for client, count in ((flood, 200), (calm, 20)):
                client.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
                for _ in range(count):
                    client.send(query)
            process.send_signal(signal.SIGCONT)
            last = max(await run_sync(arrivals, calm, 20))
            assert sum(moment < last for moment in await run_sync(arrivals, flood, 200)) < 50


async def test_servers_that_never_answer_hold_up_one_containers_questions_only(stack, serving):
    outside, local = (dns.message.make_query(name, "A").to_wire() for name in ("example.org", "db"))
    stack.db = stack.attach("db2", dns=("127.0.0.1",))
    with Upstream() as upstream:
        async with serving(upstream_port=upstream.port):
            with open_client(stack.web) as flood, open_client(stack.db) as calm:
                for number in range(150):
                    flood.send(dns.message.make_query(f"{number}.example.org", "A").to_wire())
                await ask(ask_udp, stack.web, "db")  # in line behind all of them
                assert arrived(upstream.socket) == QUESTIONS_MAX
                calm.send(local)
                calm.send(outside)
                await run_sync(calm.recv, 65535)
                upstream.socket.settimeout(30)
                assert (await run_sync(upstream.socket.recv, 512))[2:] == outside[2:]


async def test_idle_connections_of_a_container_are_bounded_and_hold_up_none(stack, serving):
    async with serving():
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
