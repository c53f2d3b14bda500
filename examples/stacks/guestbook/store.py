"""Keeps entries, one JSON object a line, in /data/entries.jsonl: acknowledged only when they are on the disk."""

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATH = "/data/entries.jsonl"
changed = threading.Condition()
counts: dict[str, int] = {}


def read() -> list[dict]:
    try:
        with open(PATH, encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    except FileNotFoundError:
        return []


class Store(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, code: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> dict:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer(200, "ok")
        elif self.path == "/entries":
            self.answer(200, read())
        elif self.path == "/counts":
            with changed:
                self.answer(200, counts)
        elif self.path.startswith("/entries/after/"):
            seen = int(self.path.rpartition("/")[2])
            with changed:
                changed.wait_for(lambda: len(read()) > seen, timeout=10)
            self.answer(200, read()[seen:])
        else:
            self.answer(404, "not here")

    def do_POST(self) -> None:
        entry = self.body()
        with changed:
            with open(PATH, "a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
                file.flush()
                os.fsync(file.fileno())
            changed.notify_all()
        self.answer(201, entry)

    def do_PUT(self) -> None:
        with changed:
            counts.clear()
            counts.update(self.body())
        self.answer(200, "ok")


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("store: serving on 7000", flush=True)
ThreadingHTTPServer(("", 7000), Store).serve_forever()
