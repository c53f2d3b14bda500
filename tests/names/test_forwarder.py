"""Questions to real servers on loopback: what they answer, and what they do instead."""

from __future__ import annotations

import socket
import struct
from contextlib import ExitStack

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from orchestra.linux.readiness import readable
from orchestra.names import forwarder
from orchestra.names.forwarder import TIMEOUT, Forwarder
from orchestra.names.loop import Loop
from orchestra.names.message import read_query
from tests.ports import free_port

SERVERS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


class World:
    """Servers at the same port of several addresses, and a clock that only this test moves."""

    def __init__(self, resources: ExitStack) -> None:
        self.udp, self.tcp = [], []
        port = free_port()
        for address in SERVERS:
            for kind, made in ((socket.SOCK_DGRAM, self.udp), (socket.SOCK_STREAM, self.tcp)):
                one = resources.enter_context(socket.socket(socket.AF_INET, kind))
                one.bind((address, port))
                one.settimeout(30)
                made.append(one)
                if kind == socket.SOCK_STREAM:
                    one.listen()
        self.now = 1000.0
        self.loop = Loop()
        resources.callback(self.loop.close)
        self.forwarder = Forwarder(self.loop, port, lambda: self.now)
        resources.callback(self.give_up)
        self.replies: list[bytes | None] = []

    def ask(self, name="example.org", servers=SERVERS, owner="web", *, over_tcp=False):
        wire = dns.message.make_query(name, "A", id=7).to_wire()
        question = read_query(wire).question
        self.forwarder.ask(owner, servers, wire, question, self.replies.append, over_tcp=over_tcp)

    def turn(self):
        self.loop.turn(30)

    def turn_until(self, condition):
        while not condition():
            self.turn()

    def reply(self):
        self.turn_until(lambda: self.replies)
        return self.replies.pop(0)

    def hear(self, server):
        wire, client = self.udp[server].recvfrom(512)
        return dns.message.from_wire(wire), client

    def answer(self, server, code=dns.rcode.NOERROR, address="192.0.2.7", change=lambda wire: wire):
        query, client = self.hear(server)
        self.udp[server].sendto(change(answer_to(query, code, address)), client)

    def give_up(self):
        while self.forwarder.next_end is not None:
            self.wait_in_vain()

    def wait_in_vain(self):
        self.now += TIMEOUT
        self.forwarder.give_up_old(self.now)

    def is_asked(self, server):
        self.udp[server].setblocking(False)
        try:
            self.udp[server].recv(512)
        except BlockingIOError:
            return False
        finally:
            self.udp[server].settimeout(30)
        return True


def answer_to(query, code=dns.rcode.NOERROR, address="192.0.2.7"):
    reply = dns.message.make_response(query)
    reply.set_rcode(code)
    reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", address))
    return reply.to_wire()


@pytest.fixture
def world():
    with ExitStack() as resources:
        yield World(resources)


def address(packet):
    return dns.message.from_wire(packet).answer[0][0].address


def test_the_id_is_another_one_for_each_question(world):
    numbers = set()
    for number in range(4):
        world.ask(f"{number}.org")
        query, _ = world.hear(0)
        numbers.add(query.id)
    assert len(numbers - {7}) > 1


@pytest.mark.parametrize(
    "change",
    [
        lambda wire: b"\0\0" + wire[2:],
        lambda wire: wire[:2] + b"\x01" + wire[3:],  # no reply
        lambda wire: wire.replace(b"\x07example", b"\x07exbmple"),
        lambda wire: wire[:20],
        lambda wire: b"",
    ],
)
def test_replies_of_strangers_are_not_taken(world, change):
    world.ask()
    query, client = world.hear(0)
    if change(answer_to(query))[:2] == struct.pack("!H", query.id) and query.id == 0:
        pytest.skip("the random ID is the stranger's")
    world.udp[0].sendto(change(answer_to(query, address="6.6.6.6")), client)
    world.udp[0].sendto(answer_to(query), client)
    assert address(world.reply()) == "192.0.2.7"


def test_a_server_may_answer_in_other_letters(world):
    world.ask()
    world.answer(0, change=lambda wire: wire.replace(b"example", b"ExAmPle"))
    assert address(world.reply()) == "192.0.2.7"


def test_a_server_that_sends_only_nonsense_is_given_up(world):
    world.ask()
    _, client = world.hear(0)
    for _ in range(forwarder.STRANGERS_MOST + 1):
        world.udp[0].sendto(b"nonsense", client)
        world.turn()
    world.answer(1)
    assert address(world.reply()) == "192.0.2.7"


@pytest.mark.parametrize("code", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NOTIMP])
def test_the_next_server_is_asked_when_one_cannot_help(world, code):
    world.ask()
    world.answer(0, code)
    world.turn()
    world.answer(1)
    assert dns.message.from_wire(world.reply()).rcode() == dns.rcode.NOERROR


def test_the_first_failure_is_the_answer_if_all_fail(world):
    world.ask()
    for server, code in enumerate((dns.rcode.REFUSED, dns.rcode.SERVFAIL, dns.rcode.SERVFAIL)):
        world.answer(server, code)
        world.turn()
    assert dns.message.from_wire(world.reply()).rcode() == dns.rcode.REFUSED
    assert not any(map(world.is_asked, range(3)))


def test_a_name_that_does_not_exist_is_an_answer(world):
    world.ask()
    world.answer(0, dns.rcode.NXDOMAIN)
    assert dns.message.from_wire(world.reply()).rcode() == dns.rcode.NXDOMAIN


def test_a_silent_server_is_asked_last_until_it_answers_again(world):
    world.ask("one.org", SERVERS[:2])
    assert world.is_asked(0)
    world.wait_in_vain()
    world.answer(1)
    world.reply()
    world.ask("two.org", SERVERS[:2])
    assert not world.is_asked(0)
    world.wait_in_vain()  # now the other one is silent, too
    world.hear(1)
    world.answer(0)
    world.reply()
    world.ask("three.org", SERVERS[:2])
    assert world.is_asked(0)


def test_nobody_is_asked_for_longer_than_a_client_waits(world):
    world.ask()
    for _ in range(3):
        assert world.forwarder.next_end == world.now + TIMEOUT
        world.wait_in_vain()
    world.wait_in_vain()
    assert world.replies == [None]
    assert world.forwarder.next_end is None
    assert len(world.loop) == 0


def test_servers_that_cannot_be_reached_fail_at_once(world):
    for one in (*world.udp, *world.tcp):
        one.close()
    world.ask()
    assert world.reply() is None
    world.ask(over_tcp=True)
    assert world.reply() is None
    world.ask(servers=("not an address", "fe80::1%none"))
    assert world.replies == [None]


def test_equal_questions_of_one_container_are_asked_once(world):
    for owner in ("web", "web", "db"):
        world.ask(owner=owner)
    world.answer(0, address="192.0.2.1")
    world.answer(0, address="192.0.2.2")
    assert not world.is_asked(0)
    world.turn_until(lambda: len(world.replies) == 3)
    assert len(set(map(address, world.replies))) == 2


def serve_tcp(world, server, *pieces):
    """Take a connection and a question, and send its answer in so many pieces."""
    connection, _ = world.tcp[server].accept()
    connection.settimeout(30)
    world.turn()  # the question is sent
    stream = connection.makefile("rb")
    query = dns.message.from_wire(stream.read(struct.unpack("!H", stream.read(2))[0]))
    wire = answer_to(query)
    wire = struct.pack("!H", len(wire)) + wire
    for start, end in zip((0, *pieces), (*pieces, None), strict=True):
        connection.sendall(wire[start:end])
        world.turn()
    return connection


def test_over_tcp_an_answer_may_come_in_pieces(world):
    world.ask(over_tcp=True)
    with serve_tcp(world, 0, 1, 2, 20):
        assert address(world.reply()) == "192.0.2.7"


def test_over_tcp_a_server_that_hangs_up_is_followed_by_the_next(world):
    world.ask(over_tcp=True)
    world.tcp[0].accept()[0].close()
    world.turn_until(lambda: readable(world.tcp[1].fileno(), 0))
    with serve_tcp(world, 1):
        assert address(world.reply()) == "192.0.2.7"
