"""Relays in this process's own network: what leads to a server is a socket that a supervisor would have handed over."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from orchestra.driver.local.net import ports
from orchestra.home import Home
from orchestra.linux import unix_socket
from orchestra.model.container import Port
from orchestra.rootless import datagrams, publishing, relays, socket_message
from orchestra.rootless.places import relay_socket
from tests.ports import free_port

WAIT = 60.0


def bound(kind=socket.SOCK_STREAM):
    made = socket.socket(socket.AF_INET, kind)
    made.bind(("127.0.0.1", free_port()))
    return made


@pytest.fixture
def home(tmp_path):
    """With a keeper's relays, in a thread."""
    home = Home(f"{tmp_path}/data", f"{tmp_path}/run")
    os.makedirs(home.rootless)
    running = relays.Relays(unix_socket.listen(relay_socket(home.rootless)))
    ended = threading.Event()

    def run():
        while not ended.is_set():
            running._loop.turn(0.05)

    thread = threading.Thread(target=run)
    thread.start()
    yield home
    for stack in list(running._stacks):
        publishing.publish(home, stack, [])
    ended.set()
    thread.join()
    running._listener.close()


def serve(answer):
    """A server of one connection, in a thread."""
    listener = bound()
    listener.listen()

    def run():
        with listener, listener.accept()[0] as connection:
            answer(connection)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return listener.getsockname(), thread


def read_all(connection):
    data = bytearray()
    while more := connection.recv(1 << 16):
        data += more
    return bytes(data)


def test_bytes_go_both_ways_and_each_end_is_passed_on(home):
    sent, returned = os.urandom(5_000_000), os.urandom(3_000_000)
    got = []

    def answer(connection):
        got.append(read_all(connection))
        connection.sendall(returned)

    target, thread = serve(answer)
    with bound() as port:
        publishing.publish(home, "s", [(port, [target])])
        with socket.create_connection(port.getsockname(), timeout=WAIT) as client:
            writer = threading.Thread(target=lambda: (client.sendall(sent), client.shutdown(socket.SHUT_WR)))
            writer.start()
            assert read_all(client) == returned
            writer.join()
    thread.join()
    assert got == [sent]


def test_a_port_without_a_server_resets_its_clients(home):
    with bound() as port, bound() as closed:
        publishing.publish(home, "s", [(port, [closed.getsockname()])])
        with pytest.raises(ConnectionResetError), socket.create_connection(port.getsockname(), timeout=WAIT) as client:
            client.recv(1)


def test_connections_take_turns_between_containers(home):
    servers = [serve(lambda connection, name=name: connection.sendall(name)) for name in (b"a", b"b")]
    with bound() as port:
        publishing.publish(home, "s", [(port, [address for address, _ in servers])])
        heard = set()
        for _ in servers:
            with socket.create_connection(port.getsockname(), timeout=WAIT) as client:
                heard.add(client.recv(1))
    assert heard == {b"a", b"b"}
    for _, thread in servers:
        thread.join()


def test_datagrams_come_back_to_their_clients(home):
    with bound(socket.SOCK_DGRAM) as server, bound(socket.SOCK_DGRAM) as port:
        server.settimeout(WAIT)
        publishing.publish(home, "s", [(port, [server.getsockname()])])
        clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for number, client in enumerate(clients):
            client.settimeout(WAIT)
            client.sendto(str(number).encode(), port.getsockname())
            data, there = server.recvfrom(100)
            server.sendto(data * 2, there)
            assert client.recv(100) == str(number).encode() * 2
            client.close()


def test_clients_that_are_silent_are_forgotten():
    loop = relays.Loop()
    with bound(socket.SOCK_DGRAM) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server.settimeout(WAIT)
        relay = datagrams.Datagrams(loop, bound(socket.SOCK_DGRAM), [server.getsockname()])
        client.sendto(b"x", relay.socket.getsockname())
        loop.turn(WAIT)
        assert server.recv(10) == b"x"
        ((_, used),) = relay._clients.values()
        relay.forget_silent(used + datagrams.SILENCE - 1)
        assert len(relay._clients) == 1
        relay.forget_silent(used + datagrams.SILENCE)
        assert not relay._clients
        relay.close()


def test_what_a_stack_does_not_name_any_more_is_closed_and_the_rest_can_be_taken_over(home):
    one, two = bound(), bound()
    publishing.publish(home, "s", [(one, []), (two, [])])
    kept, gone = one.getsockname(), two.getsockname()
    publishing.publish(home, "s", [(one, [])])
    one.close()
    two.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(gone, timeout=WAIT)
    (held,) = publishing.held(home, "s")
    with held:
        assert held.getsockname() == kept
    assert publishing.held(home, "other") == []


def test_any_number_of_ports_can_be_handed_over_and_taken_back(home):
    """More than the kernel passes at once."""
    count = 2 * socket_message.AT_ONCE + 1
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for number, each in enumerate(sockets):
        each.bind((f"127.9.{number // 250}.{number % 250 + 1}", 0))
    publishing.publish(home, "s", [(each, []) for each in sockets])
    held = publishing.held(home, "s")
    assert [each.getsockname() for each in held] == [each.getsockname() for each in sockets]
    for each in (*sockets, *held):
        each.close()


def test_a_message_that_is_cut_off_is_no_message(home):
    with unix_socket.connect(relay_socket(home.rootless)) as connection:
        connection.sendall(b"\5\0\0\0\1\0\0\0{}")
    assert publishing.held(home, "s") == []


def linger(address):
    """Have an ended connection linger on the port: of the side that ended it first (tcp(7), TIME_WAIT)."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
        with socket.create_connection(address) as client:
            listener.accept()[0].close()
            assert client.recv(1) == b""


def test_a_port_with_ended_connections_is_published_again(home):
    answering = [serve(lambda connection: connection.sendall(b"here"))[0] for _ in range(2)]
    with bound() as probe:
        host, number = probe.getsockname()
    for target in answering:
        linger((host, number))
        with ports.bind(Port(80, number, host)) as port:
            publishing.publish(home, "s", [(port, [target])])
            with socket.create_connection((host, number), timeout=WAIT) as client:
                assert read_all(client) == b"here"
        publishing.publish(home, "s", [])


def test_a_port_that_cannot_be_listened_at_is_told_and_the_others_are_published(home):
    target, _ = serve(lambda connection: connection.sendall(b"here"))
    with bound() as taken, bound() as free:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(taken.getsockname())
            other.listen()
            with pytest.raises(OSError, match="in use"):
                publishing.publish(home, "s", [(taken, [target]), (free, [target])])
        with socket.create_connection(free.getsockname(), timeout=WAIT) as client:
            assert read_all(client) == b"here"
