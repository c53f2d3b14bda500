"""A store that answers 201 once an entry is on the disk: POST /entries appends its body, GET gives all of them."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

PATH = "/data/entries"
lock = Lock()


def whole_entries() -> bytes:
    """Without what a full disk or a kill has left of an entry that was not acknowledged."""
    with open(PATH, "rb") as file:
        content = file.read()
    return content[: content.rfind(b"\n") + 1]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, whole_entries())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock, open(PATH, "r+b", buffering=0) as file:
            end = file.seek(len(whole_entries()))
            try:
                if file.write(body + b"\n") <= len(body):
                    raise OSError("the disk is full")
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                self.answer(507, b"")
                return
        self.answer(201, b"")

    def answer(self, code, body):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """The log is not what is tested."""


open(PATH, "ab").close()
ThreadingHTTPServer(("", 7000), Handler).serve_forever()
