"""A registry in memory, in threads of the test, that can be told what to do wrong."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Seen:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    host: str


@dataclass
class Registry:
    """blobs and manifests by digest, tags by name. fault: looked at for each request; True when it has answered.

    tokens: when not None, requests need one of these, which the server gives to whoever asks as ``user``.
    """

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    fault: Callable[[Handler], bool] | None = None
    seen: list[Seen] = field(default_factory=list)
    port: int = 0
    login: str = ""
    tokens: set[str] | None = None
    ranges: bool = True
    redirect: str = ""
    pushed: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def put(self, made, descriptor, tag: str = "1") -> str:
        """An image of ``making.Made``, all its blobs; the reference."""
        for name, data in made.files.items():
            if name.startswith("blobs/"):
                self.blobs[name.removeprefix("blobs/").replace("/", ":")] = data
        for digest, data in self.blobs.items():
            if data.startswith(b"{"):
                document = json.loads(data)
                if "manifests" in document:
                    self.manifests[digest] = ("application/vnd.oci.image.index.v1+json", data)
                elif "layers" in document:
                    self.manifests[digest] = ("application/vnd.oci.image.manifest.v1+json", data)
        self.manifests[descriptor["digest"]] = (descriptor["mediaType"], self.blobs[descriptor["digest"]])
        self.tags[tag] = descriptor["digest"]
        return f"{self.host}/app:{tag}"

    def asked(self, part: str) -> list[Seen]:
        return [seen for seen in self.seen if part in seen.path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    registry: Registry

    def log_message(self, *_arguments: object) -> None:
        pass

    def handle_one_request(self) -> None:
        """TLS is refused at once, rather than waited on for the end of its first line."""
        if self.rfile.peek(1)[:1] == b"\x16":
            self.close_connection = True
        else:
            super().handle_one_request()

    def fails(self) -> bool:
        """Write down what was asked; whether the fault of the test has answered it."""
        registry = self.registry
        with registry.lock:
            headers = {key.lower(): value for key, value in self.headers.items()}
            registry.seen.append(Seen(self.command, self.path, headers, self.headers["Host"]))
        return bool(registry.fault and registry.fault(self))

    def do_GET(self) -> None:
        registry = self.registry
        if self.fails():
            return
        parts = urlsplit(self.path)
        if parts.path == "/token":
            self.give_token(parse_qs(parts.query))
        elif not self.is_allowed():
            self.challenge()
        elif parts.path == "/v2/":
            self.answer(200, b"{}")
        elif found := re.fullmatch(r"/v2/(.+)/manifests/([^/]+)", parts.path):
            digest = registry.tags.get(found[2], found[2])
            if digest not in registry.manifests:
                self.refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
                return
            kind, data = registry.manifests[digest]
            self.answer(200, data, {"Content-Type": kind, "Docker-Content-Digest": digest})
        elif found := re.fullmatch(r"(?:/v2/.+)?/blobs/(sha256:[^/]+)", parts.path):
            self.blob(found[1])
        else:
            self.refuse(404, "NAME_UNKNOWN", "what is that?")

    do_HEAD = do_GET

    def blob(self, digest: str) -> None:
        if digest not in self.registry.blobs:
            self.refuse(404, "BLOB_UNKNOWN", "blob unknown")
        elif self.registry.redirect:
            self.answer(307, b"", {"Location": f"{self.registry.redirect}/blobs/{digest}"})
        else:
            data, status, more = self.part(self.registry.blobs[digest])
            self.answer(status, data, more)

    def part(self, data: bytes) -> tuple[bytes, int, dict[str, str]]:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not wanted or not self.registry.ranges:
            return data, 200, {}
        start = int(wanted[1])
        return data[start:], 206, {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}

    def is_allowed(self) -> bool:
        registry, given = self.registry, self.headers.get("Authorization", "")
        if registry.tokens is not None:
            return given.removeprefix("Bearer ") in registry.tokens
        return not registry.login or given == f"Basic {base64.b64encode(registry.login.encode()).decode()}"

    def challenge(self) -> None:
        scheme = 'Basic realm="x"'
        if self.registry.tokens is not None:
            scheme = f'Bearer realm="http://{self.headers["Host"]}/token",service="test",scope="repository:app:pull"'
        self.refuse(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": scheme})

    def give_token(self, query: dict[str, list[str]]) -> None:
        given = self.headers.get("Authorization", "")
        if self.registry.login and given != f"Basic {base64.b64encode(self.registry.login.encode()).decode()}":
            self.refuse(401, "UNAUTHORIZED", "no")
            return
        assert self.registry.tokens is not None
        token = f"token-{len(self.registry.asked('/token'))}"
        self.registry.tokens.add(token)
        self.answer(200, json.dumps({"token": token, "scope": query.get("scope", [])}).encode())

    def do_POST(self) -> None:
        self.do_write()

    def do_PUT(self) -> None:
        self.do_write()

    def do_write(self) -> None:
        registry = self.registry
        if self.fails():
            return
        data = self.body()
        if not self.is_allowed():
            self.challenge()
        elif self.command == "POST":
            self.answer(202, b"", {"Location": "/v2/app/blobs/uploads/1?state=x"})
        elif "/uploads/" in self.path:
            digest = parse_qs(urlsplit(self.path).query)["digest"][0]
            assert digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
            registry.blobs[digest] = data
            registry.pushed.append(digest)
            self.answer(201, b"")
        else:
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            registry.manifests[digest] = (self.headers["Content-Type"], data)
            registry.tags[self.path.rpartition("/")[2]] = digest
            self.answer(201, b"", {"Docker-Content-Digest": digest})

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(
        self, status: int, data: bytes, headers: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(OSError):
                self.wfile.write(data)

    def refuse(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        document = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer(status, document, headers)

    def send_some(self, count: int) -> None:
        """The beginning of the blob that was asked for, which the header promises whole; then cut the line."""
        digest = self.path.rpartition("/")[2]
        data, status, more = self.part(self.registry.blobs[digest])
        self.answer(status, data[:count], more, length=len(data))
        self.wfile.flush()
        self.reset()

    def reset(self) -> None:
        """RST, and not the FIN of an orderly end."""
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


class Server(ThreadingHTTPServer):
    def handle_error(self, *_arguments: object) -> None:
        """Clients that go away are what these tests are about."""


@contextlib.contextmanager
def serving(registry: Registry, address: str = "127.0.0.1") -> Iterator[Registry]:
    handler = type("Bound", (Handler,), {"registry": registry})
    server = Server((address, 0), handler)
    server.daemon_threads = True
    registry.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
