"""A proxy in threads of the test. It alone knows where the names of registries lead."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Proxy:
    """targets: host and port as they were asked for, to a port of this machine. seen: method and where to."""

    targets: dict[str, int]
    seen: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_CONNECT(self) -> None:
        self.proxy.seen.append(("CONNECT", self.path))
        self.close_connection = True
        if self.path not in self.proxy.targets:
            self.send_error(502)
            return
        with socket.create_connection(("127.0.0.1", self.proxy.targets[self.path])) as far:
            self.send_response(200)
            self.end_headers()
            ways = {self.connection: far, far: self.connection}
            while True:
                for ready in select.select(list(ways), [], [])[0]:
                    if not (data := ready.recv(1 << 16)):
                        return
                    ways[ready].sendall(data)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.proxy.seen.append((self.command, parts.netloc))
        connection = HTTPConnection("127.0.0.1", self.proxy.targets[parts.netloc], timeout=10)
        with contextlib.closing(connection):
            connection.request(self.command, parts.path, headers=dict(self.headers))
            reply = connection.getresponse()
            data = reply.read()
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_HEAD = do_GET


@contextlib.contextmanager
def proxying(**targets: int) -> Iterator[Proxy]:
    """targets: ports of this machine by name; each name is good for port 5000."""
    proxy = Proxy({f"{name}.example:5000": port for name, port in targets.items()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"proxy": proxy}))
    server.daemon_threads = True
    proxy.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
