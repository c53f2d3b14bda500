"""A manager of a Swarm in memory, on a socket: services, networks, configs and secrets, and the tasks of services."""

from __future__ import annotations

import base64
import contextlib
import json
import queue
import select
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingUnixStreamServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Object = dict[str, Any]
KINDS = ("services", "networks", "configs", "secrets")


def running(spec: Object) -> list[str]:
    """The states of the tasks of a service all of which run, or have completed."""
    task = spec["TaskTemplate"]
    number = spec["Mode"].get("Replicated", {}).get("Replicas", 1)
    ends = task.get("RestartPolicy", {}).get("Condition") in ("none", "on-failure")
    return ["complete" if ends else "running"] * number


class Engine:
    """items: by kind and name. seen: requests, as ``POST /services/create``. faults: answers to give first.

    leftover: tasks of services that were removed. program: speaks for one that exec runs; looks: how often it is asked
    for in vain whether it has ended.
    """

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Object]] = {kind: {} for kind in KINDS}
        self.seen: list[str] = []
        self.logins: list[Object] = []
        self.faults: list[tuple[str, int, str]] = []
        self.states: Callable[[Object], list[str]] = running
        self.update: Callable[[Object], Object] = lambda _spec: {"State": "completed"}
        self.manages = True
        self.program: Callable[[socket.socket], object] = lambda _connection: None
        self.sizes: list[tuple[int, int]] = []
        self.looks = 0
        self.leftover: list[Object] = []
        self.node_state = "ready"
        self.told: queue.SimpleQueue[Object] = queue.SimpleQueue()
        self._count = 0

    def find(self, kind: str, word: str) -> Object | None:
        return next(
            (item for name, item in self.items[kind].items() if word in (name, item.get("ID"), item.get("Id"))), None
        )

    def make(self, kind: str, spec: Object) -> Object:
        self._count += 1
        identity = f"{kind}-{self._count}"
        self.items[kind][spec["Name"]] = (
            {"Id": identity, **spec}
            if kind == "networks"
            else {"ID": identity, "Version": {"Index": self._count}, "Spec": spec}
        )
        return {"ID": identity}

    def replace(self, service: Object, spec: Object, version: int) -> None:
        assert service["Version"]["Index"] == version
        self._count += 1
        service |= {"Version": {"Index": self._count}, "Spec": spec, "UpdateStatus": self.update(spec)}

    def tasks(self, service: Object) -> list[Object]:
        spec = service["Spec"]
        return [
            {
                "ServiceID": service["ID"],
                "Slot": number + 1,
                "NodeID": "n1",
                "Spec": spec["TaskTemplate"],
                "Status": {"State": state, "Timestamp": "2030-01-01T00:00:00Z"}
                | ({"Err": "no such image"} if state == "rejected" else {}),
            }
            for number, state in enumerate(self.states(spec))
        ]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine: Engine

    def address_string(self) -> str:
        return "a socket"

    def log_message(self, *_arguments: object) -> None:
        """Nothing is printed."""

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _tell(self) -> None:
        """Events as they are put into the queue, until the other end is gone."""
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):
            while not _is_over(self.connection):
                with contextlib.suppress(queue.Empty):
                    self.wfile.write(json.dumps(self.engine.told.get(timeout=0.05)).encode() + b"\n")

    def _handle(self) -> None:
        engine, url = self.engine, urlsplit(self.path)
        _, _version, *parts = url.path.split("/")
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        filters = json.loads(query.get("filters", "{}"))
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        words = f"{self.command} /{'/'.join(parts)}"
        if "X-Registry-Auth" in self.headers:
            engine.logins.append(json.loads(base64.urlsafe_b64decode(self.headers["X-Registry-Auth"])))
        engine.seen.append(words)
        fault = next((fault for fault in engine.faults if words.startswith(fault[0])), None)
        if fault:
            engine.faults.remove(fault)
            self._answer(fault[1], {"message": fault[2]})
            return
        match (self.command, *parts):
            case ("GET", "info"):
                self._answer(200, {"Swarm": {"ControlAvailable": engine.manages}})
            case ("GET", "events"):
                self._tell()
            case ("POST", "containers", _, "exec"):
                self._answer(201, {"Id": "program"})
            case ("POST", "exec", _, "start"):
                self.send_response(101)
                self.send_header("Connection", "Upgrade")
                self.send_header("Upgrade", "tcp")
                self.end_headers()
                self.close_connection = True
                engine.program(self.connection)
            case ("POST", "exec", _, "resize"):
                engine.sizes.append((int(query["h"]), int(query["w"])))
                self._answer(200, {})
            case ("GET", "exec", _, "json"):
                self._answer(200, {"Running": engine.looks > 0, "ExitCode": None if engine.looks else 3})
                engine.looks -= 1
            case ("GET", "nodes"):
                self._answer(
                    200, [{"ID": "n1", "Description": {"Hostname": "node-1"}, "Status": {"State": engine.node_state}}]
                )
            case ("GET", "tasks"):
                names = filters.get("service") or [*engine.items["services"]]
                found = [task for name in names for task in engine.tasks(engine.items["services"][name])]
                self._answer(200, found + engine.leftover)
            case ("GET", kind):
                (label,) = filters["label"]
                key, _, value = label.partition("=")
                found = [
                    item for item in engine.items[kind].values() if (item.get("Spec") or item)["Labels"][key] == value
                ]
                self._answer(200, found)
            case ("POST", kind, "create"):
                self._answer(201, engine.make(kind, body))
            case ("POST", "services", word, "update"):
                service = engine.find("services", word)
                assert service is not None
                assert query.keys() == {"version"}  # a first update has no previous specification to take from
                engine.replace(service, body, int(query["version"]))
                self._answer(200, {"Warnings": None})
            case ("GET", kind, word):
                item = engine.find(kind, word)
                self._answer(200, item) if item else self._answer(404, {"message": f"{word} not found"})
            case ("DELETE", kind, word):
                item = engine.find(kind, word)
                if item is None:
                    self._answer(404, {"message": f"{word} not found"})
                else:
                    del engine.items[kind][(item.get("Spec") or item)["Name"]]
                    self._answer(200, {})
            case _:
                self._answer(404, {"message": "page not found"})

    do_GET = do_POST = do_DELETE = _handle


def _is_over(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0)[0]) and not connection.recv(1, socket.MSG_PEEK)


@contextmanager
def listening(engine: Engine, path: str) -> Iterator[str]:
    """Its address."""
    handler = type("Handler", (_Handler,), {"engine": engine})
    with ThreadingUnixStreamServer(path, handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join()
