"""The face of the guestbook: GET and POST /entries, GET /counts; everything is asked of the store by its name."""

import os
import signal
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STORE = os.environ["STORE"]


class Web(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ask(self, method: str, data: bytes | None = None) -> None:
        request = urllib.request.Request(STORE + self.path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as reply:
                code, body = reply.status, reply.read()
        except urllib.error.HTTPError as error:
            code, body = error.code, error.read()
        except OSError as error:
            code, body = 503, str(error).encode()
        self.answer(code, body)

    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer(200, b'"ok"')
        else:
            self.ask("GET")

    def do_POST(self) -> None:
        self.ask("POST", self.rfile.read(int(self.headers["Content-Length"])))


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("web: serving on 8080", flush=True)
ThreadingHTTPServer(("", 8080), Web).serve_forever()
