"""One process that serves the page of a real stack, for all tests of a module."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.examples.conftest import busybox_root, write_shared_stack

__all__ = ["busybox_root", "write_shared_stack"]

SHOP = """
services:
  db:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "echo ready; touch /lines; exec tail -f /lines"]
    environment: {DB_PASSWORD: hunter22, DB_NAME: shop}
    init: true
  web: {image: "rootfs:BUSYBOX", command: [sleep, "10000"], init: true, depends_on: [db]}
  talker: {image: "rootfs:BUSYBOX", command: [sh, -c, "sleep 10000"], init: true}
"""


class Visitor:
    """A browser's part, without a browser. token: of the printed address; None for a stranger."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.port = port
        self.cookie = ""
        self.key = ""
        if token is not None:
            _status, headers, _body = self.ask("GET", f"/?token={token}")
            self.cookie = headers["set-cookie"].partition(";")[0]
            self.key = self.get("/api/session")["key"]

    @property
    def own(self) -> dict[str, str]:
        return {"Cookie": self.cookie} if self.cookie else {}

    def ask(self, method, path, body=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, self.own | dict(headers))
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def get(self, path):
        status, _headers, body = self.ask("GET", path)
        assert status == 200, (path, status, body)
        return json.loads(body)

    def post(self, path, value, status=200, **headers):
        usual = {
            "Content-Type": "application/json",
            "Origin": f"http://127.0.0.1:{self.port}",
            "X-Orchestra-Key": self.key,
        }
        found, _headers, body = self.ask("POST", path, json.dumps(value), usual | headers)
        assert found == status, (path, found, body)
        return json.loads(body)

    @contextmanager
    def stream(self, path):
        """Server-sent events, each with its topic."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path, headers=self.own)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        try:
            yield _events(response)
        finally:
            connection.sock and connection.sock.close()
            response.close()


def _events(response):
    topic = ""
    for line in response:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name == "event":
            topic = value
        elif name == "data":
            yield topic, json.loads(value)


class Served(NamedTuple):
    """tokens: by role."""

    stack: object
    process: subprocess.Popen
    port: int
    tokens: dict[str, str]

    def visitor(self, role="operator") -> Visitor:
        return Visitor(self.port, self.tokens[role])


@contextmanager
def serving(stack, *options):
    with stack.start("web", "--listen", "127.0.0.1:0", *options, stdout=subprocess.PIPE) as process:
        try:
            tokens = {}
            for _ in range(1 if "--read-only" in options else 2):
                role, url = process.stdout.readline().split()
                tokens[role] = url.partition("token=")[2]
            yield Served(stack, process, urlsplit(url).port, tokens)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            finally:
                process.kill()


@pytest.fixture(scope="module")
def shop(write_shared_stack):
    stack = write_shared_stack(SHOP, name="shop")
    stack.run("up", "-d")
    return stack


@pytest.fixture(scope="module")
def served(shop):
    with serving(shop) as served:
        yield served
