"""A registry that drips: whatever part of its answers comes a few bytes at a time, it is given up, with a reason.

A server of bare sockets on loopback sends what the test says, byte by byte.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading

import pytest

from orchestra.driver.local.image.registry import Access
from orchestra.driver.local.image.registry.patience import Patience
from orchestra.driver.local.image.store import ImageStore
from orchestra.errors import OrchestraError
from orchestra.home import Home
from orchestra.model.desired import ImageSpec
from tests.driver.local.image.making import Made, entry, layer, needs_root

pytestmark = needs_root

QUICK = Patience(connect=2, silence=0.6, rate=1000, document=1.2, attempts=3, first=0.01, longest=0.1)
PAUSE = 0.02
"""Seconds between two bytes: never silent, and far from ``rate``."""


class Dripping:
    """parts: by path's end a whole answer and how much of it comes at once; the rest drips, for ever in the end.

    ended: the paths of which the whole answer was sent.
    """

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.over = threading.Event()
        self.parts: dict[str, tuple[bytes, int]] = {}
        self.asked: list[str] = []
        self.ended: list[str] = []
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    @property
    def host(self):
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self.listener.accept()
                self.threads.append(threading.Thread(target=self.serve, args=[connection]))
                self.threads[-1].start()

    def serve(self, connection):
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                data = connection.recv(4096)
                if not data or data[:1] == b"\x16":  # TLS
                    return
                head += data
            path = head.split()[1].decode()
            self.asked.append(path)
            answer, at_once = next(
                (part for end, part in self.parts.items() if end in path), (answered(b"{}"), 1 << 20)
            )
            connection.sendall(answer[:at_once])
            for byte in answer[at_once:]:
                if self.over.wait(PAUSE):
                    return
                connection.sendall(bytes([byte]))
            self.ended.append(path)

    def close(self):
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join()


def answered(body, status="200 OK", *headers, length=None):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.fixture
def server():
    server = Dripping()
    yield server
    server.close()


@pytest.fixture
def pull(server, tmp_path):
    """Pull, which fails: the error, told within the time that the attempts may take."""

    def pull():
        environment = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
        store = ImageStore(Home(f"{tmp_path}/data", f"{tmp_path}/run"), Access(environment, QUICK))
        with pytest.raises(OrchestraError) as caught:
            store.pull(ImageSpec(f"{server.host}/app:1"))
        assert server.host in str(caught.value)
        return str(caught.value)

    return pull


@pytest.fixture
def image(server):
    """A whole image, of which each test makes a part drip."""
    made = Made()
    descriptor = made.image([layer(entry("etc/name", content=b"this one" * 2000))])
    blobs = {name.removeprefix("blobs/sha256/"): data for name, data in made.files.items() if name.startswith("blobs/")}
    manifest = blobs.pop(descriptor["digest"].removeprefix("sha256:"))
    kind = f"Content-Type: {descriptor['mediaType']}"
    server.parts = {f"blobs/sha256:{digest}": (answered(data), 1 << 20) for digest, data in blobs.items()}
    server.parts["manifests/1"] = (answered(manifest, "200 OK", kind), 1 << 20)
    return json.loads(manifest)


SLOW = ("is too slow: GET http", "bytes came in 0.6")


@pytest.mark.parametrize("at_once", [0, 1, 30])
def test_in_the_head_of_an_answer(server, image, pull, at_once):
    answer = server.parts["manifests/1"][0]
    server.parts["manifests/1"] = (answer, at_once)
    told = pull()
    assert all(word in told for word in SLOW)
    assert "/manifests/1" in told
    assert len(server.asked) <= 3 * 2


def test_in_a_head_that_never_ends(server, image, pull):
    """More than the rate, and for ever: informational answers (RFC 9110, 15.2)."""
    server.parts["manifests/1"] = (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100_000, 1000)
    serve_quickly(server, b"HTTP/1.1 103 Early Hints\r\n\r\n" * 8)
    assert "the answer did not end within 1.2" in pull()


def serve_quickly(server, piece):
    """Pieces instead of bytes."""

    def serve(connection):
        with connection, contextlib.suppress(OSError):
            if connection.recv(4096)[:1] == b"\x16":
                return
            while not server.over.wait(PAUSE):
                connection.sendall(piece)

    server.serve = serve


def test_in_a_manifest(server, image, pull):
    answer = server.parts["manifests/1"][0]
    server.parts["manifests/1"] = (answer, answer.index(b"\r\n\r\n") + 8)
    told = pull()
    assert all(word in told for word in SLOW)


def test_in_a_configuration(server, image, pull):
    path = f"blobs/{image['config']['digest']}"
    answer = server.parts[path][0]
    server.parts[path] = (answer, answer.index(b"\r\n\r\n") + 8)
    told = pull()
    assert all(word in told for word in SLOW)
    assert path in told


def test_in_a_layer(server, image, pull):
    path = f"blobs/{image['layers'][0]['digest']}"
    answer = server.parts[path][0]
    server.parts[path] = (answer, answer.index(b"\r\n\r\n") + 50)
    told = pull()
    assert all(word in told for word in SLOW)
    assert path in told
    assert not any(path in ended for ended in server.ended)  # it was not read for as long as any byte came


def test_in_the_answer_of_a_token_server(server, image, pull):
    asks = f'WWW-Authenticate: Bearer realm="http://{server.host}/token",service="s"'
    server.parts = {
        "manifests/1": (answered(b"", "401 Unauthorized", asks), 1 << 20),
        "/token": (answered(json.dumps({"token": "x" * 5000}).encode()), 60),
    }
    told = pull()
    assert "token server" in told
    assert "bytes came in 0.6" in told


def test_in_a_redirect_and_behind_it(server, image, pull):
    path = f"blobs/{image['layers'][0]['digest']}"
    elsewhere = f"Location: http://{server.host}/elsewhere/" + "x" * 3000
    server.parts[path] = (answered(b"", "307 Temporary Redirect", elsewhere), 200)
    assert all(word in pull() for word in SLOW)
    server.parts[path] = (answered(b"", "307 Temporary Redirect", elsewhere), 1 << 20)
    server.parts["/elsewhere/"] = (answered(b"x" * 10_000), 100)
    told = pull()
    assert "/elsewhere/" in told
    assert all(word in told for word in SLOW)


def test_in_a_refusal(server, image, pull):
    """What it has to say is not waited for longer than for other words."""
    server.parts["manifests/1"] = (answered(b'{"errors": [{"message": "' + b"x" * 5000, "403 Forbidden"), 150)
    assert "denies access" in pull()


def test_few_bytes_for_each_connection(server, image, pull):
    """Each attempt brings a download on, by next to nothing."""
    path = f"blobs/{image['layers'][0]['digest']}"
    whole = server.parts[path][0]
    begin = whole.index(b"\r\n\r\n") + 4
    server.parts[path] = (whole[: begin + 3], 1 << 20)
    pull()
    assert sum(path in asked for asked in server.asked) <= 10
