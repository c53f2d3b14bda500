"""A client of Docker's Engine API that shows what goes over the wire."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import struct
from typing import NamedTuple
from urllib.parse import urlencode

from tests.engine_api.described import faults

ASK = """
import http.client, json, socket, sys
connection = http.client.HTTPConnection("localhost")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.settimeout(60)
connection.sock.connect("/var/run/docker.sock")
connection.request(sys.argv[1], sys.argv[2])
answer = connection.getresponse()
print(json.dumps([answer.status, json.loads(answer.read() or b"null")]))
"""
"""A program for the machine's Python in a container, since busybox has no client for Unix sockets: METHOD PATH."""
ANY = 0
"""Instead of a status: whatever it is."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def documents(self) -> list:
        return [json.loads(line) for line in self.body.splitlines() if line.strip()]


def _check(method: str, path: str, answer: Answer) -> None:
    """Hold every answer against Docker's description."""
    if method != "HEAD" and answer.headers.get("content-type") == "application/json" and answer.body.count(b"\n") <= 1:
        wrong = faults(method, path, answer.status, answer.json)
        assert not wrong, f"{method} {path}: {'; '.join(wrong)}"


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


class Engine:
    """path: of the socket."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(self.path)
        return connection

    def ask(self, method: str, path: str, body=None, /, *, status: int | None = None, headers=None, **query) -> Answer:
        """body: JSON, or bytes. status: what it must be; None for any of success."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        target = f"/v1.47{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        with contextlib.closing(_Connection(self.path)) as connection:
            connection.request(method, target, data, {"Content-Type": "application/json", **(headers or {})})
            reply = connection.getresponse()
            answer = Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        _check(method, path, answer)
        if status == ANY:
            return answer
        if status is None:
            assert answer.status < 400, f"{method} {target}: {answer}"
        else:
            assert answer.status == status, f"{method} {target}: {answer}"
        return answer

    def get(self, path: str, /, **query):
        return self.ask("GET", path, **query).json

    def post(self, path: str, body=None, /, **query) -> Answer:
        return self.ask("POST", path, body, **query)

    def delete(self, path: str, /, **query) -> Answer:
        return self.ask("DELETE", path, **query)

    def create(self, name: str, *command: str, image: str = "bb", host=None, **config) -> str:
        """The id of a new container."""
        body = {"Image": image, "Cmd": list(command), "HostConfig": host or {}, **config}
        return self.post("/containers/create", body, name=name).json["Id"]

    def hijack(self, path: str, body=None, **query) -> tuple[socket.socket, bytes]:
        """The bare socket after the answer 101, and what has come behind it."""
        data = json.dumps(body or {}).encode()
        connection = self.connect()
        head = f"POST /v1.47{path}?{urlencode(query)} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        connection.sendall(head.encode() + data)
        received = b""
        while b"\r\n\r\n" not in received:
            piece = connection.recv(4096)
            assert piece, received
            received += piece
        head, _, rest = received.partition(b"\r\n\r\n")
        assert re.match(rb"HTTP/1.1 101 ", head), received
        return connection, rest


def read_all(connection: socket.socket, first: bytes = b"") -> bytes:
    received = first
    while piece := connection.recv(1 << 16):
        received += piece
    return received


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """The pieces of a multiplexed stream."""
    found, place = [], 0
    while place < len(data):
        stream, size = struct.unpack_from(">BxxxI", data, place)
        found.append((stream, data[place + 8 : place + 8 + size]))
        place += 8 + size
    return found


def joined(data: bytes, stream: int) -> bytes:
    return b"".join(piece for number, piece in frames(data) if number == stream)
