"""The shop: GET and POST /goods. The list is kept in Redis for a minute, and until the next one is added."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2
import redis

KEY = "goods"
SECONDS = 60
cache = redis.Redis("cache")


def query(statement: str, values: tuple = ()) -> list[tuple]:
    """Rows, in a connection of its own: the database may have been replaced meanwhile."""
    connection = psycopg2.connect(os.environ["DATABASE"], connect_timeout=5)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, code: int, value: object, source: str = "database") -> None:
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Source", source)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path == "/health":
            query("SELECT 1")
            self.answer(200, cache.ping())
        elif kept := cache.get(KEY):
            self.answer(200, json.loads(kept), "cache")
        else:
            goods = [
                {"name": name, "price": price} for name, price in query("SELECT name, price FROM goods ORDER BY id")
            ]
            cache.set(KEY, json.dumps(goods), ex=SECONDS)
            self.answer(200, goods)

    def do_POST(self) -> None:
        item = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        query("INSERT INTO goods (name, price) VALUES (%s, %s)", (item["name"], item["price"]))
        cache.delete(KEY)
        self.answer(201, item)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
query("CREATE TABLE IF NOT EXISTS goods (id serial PRIMARY KEY, name text NOT NULL, price integer NOT NULL)")
print("shop: serving on 8000", flush=True)
ThreadingHTTPServer(("", 8000), Shop).serve_forever()
