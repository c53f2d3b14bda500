"""Attaching by WebSocket, with another implementation as the client."""

from __future__ import annotations

import random
from contextlib import contextmanager

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)

from orchestra.websocket import BINARY, PING, TOO_BIG, WRONG, Decoder, Malformed, render_frame
from tests.examples.conftest import eventually, needs_containers


class Client:
    def __init__(self, connection, target) -> None:
        self.socket = connection
        self.protocol = WSConnection(ConnectionType.CLIENT)
        self.socket.sendall(self.protocol.send(Request(host="localhost", target=target)))
        self.output = b""
        self.accepted, *_rest = self.receive()

    def send(self, *events):
        for event in events:
            self.socket.sendall(self.protocol.send(event))

    def receive(self):
        """The next events; none when the connection is at its end."""
        while not (events := list(self.protocol.events())):
            data = self.socket.recv(1 << 16)
            self.protocol.receive_data(data or None)
        self.output += b"".join(event.data for event in events if isinstance(event, BytesMessage))
        return events

    def read_until(self, wanted):
        while wanted not in self.output:
            self.receive()

    def read_to_end(self):
        """The event that closes."""
        while True:
            for event in self.receive():
                if isinstance(event, CloseConnection):
                    return event


def masked(kind, content, mask=b"abcd"):
    """As a client sends it."""
    plain = bytearray(render_frame(kind, content))
    head = len(plain) - len(content)
    plain[1] |= 0x80
    return bytes(plain[:head]) + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(content))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1 << 20])
def test_frames_of_any_size_arrive_in_any_pieces(size):
    rng = random.Random(size)
    content = rng.randbytes(size)
    data = masked(BINARY, content) + masked(PING, b"x")
    decoder, found = Decoder(), []
    while data:
        cut = rng.choice((1, 2, 3, 10, 1 << 19))
        found += decoder.feed(data[:cut]) if size < 1000 or cut > 100 else []
        data = data[cut:] if size < 1000 or cut > 100 else data
    assert found == [(BINARY, content), (PING, b"x")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (render_frame(BINARY, b"not masked"), WRONG),
        (b"\xc2\x80abcd", WRONG),
        (b"\x83\x80abcd", WRONG),
        (b"\x82\xff" + (1 << 62).to_bytes(8, "big"), TOO_BIG),
    ],
    ids=["not masked", "reserved bit", "unknown kind", "too big"],
)
def test_what_is_no_frame_has_a_code(data, code):
    with pytest.raises(Malformed) as caught:
        list(Decoder().feed(data))
    assert caught.value.code == code


class TestAttaching:
    pytestmark = needs_containers

    @contextmanager
    def attached(self, engine, name, **query):
        words = "&".join(f"{key}={value}" for key, value in {"stream": 1, "stdin": 1, "stdout": 1, **query}.items())
        with engine.connect() as connection:
            yield Client(connection, f"/v1.47/containers/{name}/attach/ws?{words}")

    def test_input_and_output_are_those_of_the_program(self, engine):
        engine.create("cat", "sh", "-c", "echo error >&2; cat; exit 3", OpenStdin=True, StdinOnce=True)
        with self.attached(engine, "cat", stderr=1) as client:
            assert isinstance(client.accepted, AcceptConnection)
            engine.post("/containers/cat/start")
            client.send(TextMessage("text\n"), Ping(b"there?"), BytesMessage(b"bytes\n"))
            while not any(isinstance(event, Pong) and event.payload == b"there?" for event in client.receive()):
                continue
            client.read_until(b"bytes")
            client.read_until(b"error")  # of another stream
            assert {b"error", b"text", b"bytes"} == set(client.output.split())
            engine.post("/containers/cat/kill")
            assert client.read_to_end().code == 1000

    def test_a_client_may_leave_a_terminal_by_keys_or_by_closing(self, engine):
        engine.create("shell", "sh", "-c", "while read line; do echo got $line; done", Tty=True, OpenStdin=True)
        engine.post("/containers/shell/start")
        for number, last in enumerate((BytesMessage(b"\x10\x11"), CloseConnection(1000))):
            with self.attached(engine, "shell") as client:
                client.send(TextMessage(f"word{number}\n"))
                client.read_until(f"got word{number}".encode())
                client.send(last)
                assert client.read_to_end().code == 1000
        assert engine.get("/containers/shell/json")["State"]["Running"]
        with self.attached(engine, "shell", stream=0, logs=1) as client:
            eventually(lambda: client.receive() and b"got word1" in client.output)

    def test_what_is_no_frame_ends_the_connection_and_not_the_program(self, engine):
        engine.create("sleep", "sleep", "10000", OpenStdin=True, HostConfig={"Init": True})
        engine.post("/containers/sleep/start")
        with self.attached(engine, "sleep") as client:
            client.socket.sendall(render_frame(BINARY, b"not masked"))
            assert client.read_to_end().code == 1002
        assert engine.get("/containers/sleep/json")["State"]["Running"]

    def test_what_is_no_handshake_is_refused(self, engine):
        engine.create("sleep", "sleep", "10000")
        engine.ask("GET", "/containers/sleep/attach/ws", status=400)
        with self.attached(engine, "nosuch") as client:
            assert isinstance(client.accepted, RejectConnection)
            assert client.accepted.status_code == 404
