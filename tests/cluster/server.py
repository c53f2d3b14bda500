"""An API server in memory: server-side apply with owners of fields, lists in pages, deletion, logs; and faults.

It keeps what is documented at https://kubernetes.io/docs/reference/using-api/server-side-apply/ for the kinds that a
stack has. A controller that a test gives makes the status of what is applied.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

Object = dict[str, Any]
KEYS = ("name", "containerPort", "port")
"""By which entries of lists are told from each other."""


def ready(item: Object) -> Object:
    """The status of a workload all of whose pods are available."""
    number = item.get("spec", {}).get("replicas", 1)
    names = ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas")
    status: Object = {"observedGeneration": item["metadata"]["generation"], **dict.fromkeys(names, number)}
    if item["kind"] == "Job":
        status = {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
    return status


class Server:
    """objects: by the path of each. seen: requests, as ``GET /path``. faults: answers to give first, each to the
    next request that begins with its words. logs: by pod, the bytes of each connection.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {"/api/v1/namespaces/default": {"kind": "Namespace"}}
        self.seen: list[str] = []
        self.faults: list[tuple[str, int, dict[str, str], Object | None]] = []
        self.logs: dict[str, list[bytes]] = {}
        self.events: list[Object] = []
        self.tokens: set[str] = set()
        self.page = 500
        self.controller: Callable[[Object], Object] = ready
        self.configurations: dict[tuple[str, str], Object] = {}
        self.lock = threading.RLock()
        self.changes: list[tuple[int, str, str, Object]] = []
        self.told = threading.Condition(self.lock)
        self.oldest = 0
        self.over = False
        self.programs: list[Callable[[Any], None]] = []
        self._version = 0

    def fail(self, words: str, status: int, headers: dict[str, str] | None = None, body: Object | None = None) -> None:
        """status: 0 to cut the connection."""
        self.faults.append((words, status, headers or {}, body))

    def tell(self, path: str, kind: str, item: Object) -> None:
        """To those who watch."""
        with self.told:
            self._version += 1
            item.setdefault("metadata", {})["resourceVersion"] = str(self._version)
            self.changes.append((self._version, path, kind, deepcopy(item)))
            self.told.notify_all()

    def set_status(self, path: str, status: Object) -> None:
        self.objects[path]["status"] = status
        self.tell(path, "MODIFIED", self.objects[path])

    @property
    def version(self) -> int:
        return self._version

    def of(self, path: str) -> Object:
        return self.objects[f"/apis/apps/v1/namespaces/default/{path}"]

    def apply(self, path: str, item: Object, manager: str, *, force: bool, dry: bool) -> tuple[int, Object]:
        before = self.objects.get(path)
        fields = _fields({key: value for key, value in item.items() if key not in ("apiVersion", "kind")})
        for other, theirs in self.configurations.items():
            if other[0] != path or other[1] == manager or before is None:
                continue
            shared = [name for name in _paths(fields) & _paths(_fields(theirs)) if _at(item, name) != _at(before, name)]
            if shared and not force:
                message = f'conflict with "{other[1]}"'
                causes = [{"reason": "FieldManagerConflict", "field": shared[0], "message": message}]
                return 409, _status(409, "Conflict", "Apply failed with a conflict", causes)
            if shared:
                self.configurations[other] = {}  # its fields are taken over
        if before is not None and item["kind"] == "Job" and before["spec"]["template"] != item["spec"]["template"]:
            return 422, _status(422, "Invalid", "spec.template: field is immutable")
        after = _merged(_without(before or {}, self.configurations.get((path, manager), {})), item)
        old = (before or {}).get("metadata", {})
        changed = before is None or _plain(after) != _plain(before)
        generation = old.get("generation", 0) + (before is None or after.get("spec") != before.get("spec"))
        with self.lock:
            self._version += changed
            after["metadata"] |= {
                "generation": generation,
                "uid": old.get("uid", f"uid-{self._version}"),
                "resourceVersion": str(self._version) if changed else old["resourceVersion"],
                "managedFields": [
                    {"manager": manager, "operation": "Apply", "apiVersion": item["apiVersion"], "fieldsV1": fields}
                ],
            }
            if item["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
                after["status"] = self.controller(after)
            if not dry:
                self.objects[path] = after
                self.configurations[path, manager] = deepcopy(item)
        return (200 if before else 201), after


def _plain(item: Object) -> Object:
    metadata = {key: item["metadata"].get(key) for key in ("labels", "annotations")}
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}


def _status(code: int, reason: str, message: str, causes: list[Object] | None = None) -> Object:
    return {"kind": "Status", "code": code, "reason": reason, "message": message, "details": {"causes": causes or []}}


def _key(entries: Any) -> str:
    """By which the entries of a list are told from each other, empty for a list that is one value."""
    inner = isinstance(entries, list) and entries and all(isinstance(entry, dict) for entry in entries)
    return next((key for key in KEYS if inner and all(key in entry for entry in entries)), "")


def _fields(value: Any) -> Object:
    if isinstance(value, dict):
        return {f"f:{key}": _fields(inner) for key, inner in value.items()}
    if key := _key(value):
        return {f"k:{json.dumps({key: entry[key]})}": {".": {}, **_fields(entry)} for entry in value}
    return {}


def _paths(fields: Object, prefix: str = "") -> set[str]:
    found = set()
    for name, inner in fields.items():
        if name != ".":
            found |= _paths(inner, f"{prefix}.{name[2:]}") if inner else {f"{prefix}.{name[2:]}"}
    return {path for path in found if "kind" not in path and "apiVersion" not in path}


def _at(item: Any, path: str) -> Any:
    for part in path.strip(".").split("."):
        if not isinstance(item, dict):
            return None
        item = item.get(part)
    return item


def _merged(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{key: _merged(base.get(key), value) for key, value in over.items()}}
    if (key := _key(over)) and _key(base) == key:
        known = {entry[key]: entry for entry in base}
        known |= {entry[key]: _merged(known.get(entry[key]), entry) for entry in over}
        return list(known.values())
    return deepcopy(over)


def _without(base: Any, ours: Any) -> Any:
    """What is left of an object when a manager's configuration is taken out of it."""
    if isinstance(base, dict) and isinstance(ours, dict):
        left = {key: _without(value, ours[key]) if key in ours else value for key, value in base.items()}
        return {key: value for key, value in left.items() if value is not None}
    if (key := _key(ours)) and _key(base) == key:
        known = {entry[key]: entry for entry in ours}
        left = [_without(entry, known[entry[key]]) if entry[key] in known else entry for entry in base]
        return [entry for entry in left if entry] or None
    return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for an answer: its second one would wait for the client to confirm the first
    served: Server

    def log_message(self, *_arguments: object) -> None:
        """Nothing is printed."""

    def _answer(self, status: int, body: Object | bytes, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _handle(self) -> None:
        server, url = self.served, urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        words = f"{self.command} {self.path}"
        with server.lock:
            server.seen.append(words)
            fault = next((fault for fault in server.faults if words.startswith(fault[0])), None)
            if fault:
                server.faults.remove(fault)
        if fault:
            _words, status, headers, told = fault
            if not status:
                self.close_connection = True
                self.connection.close()
                return
            self._answer(status, told or _status(status, "Failure", f"failed with {status}"), headers)
        elif server.tokens and self.headers.get("Authorization", "").removeprefix("Bearer ") not in server.tokens:
            self._answer(401, _status(401, "Unauthorized", "Unauthorized"))
        else:
            getattr(self, f"_{self.command.lower()}")(url.path, query, body)

    do_GET = do_PATCH = do_DELETE = _handle

    def _get(self, path: str, query: dict[str, str], _body: Object) -> None:
        server = self.served
        parts = path.strip("/").split("/")
        if parts[-1] == "log":
            self._log(parts[-2], query)
        elif query.get("watch"):
            self._watch(path, query)
        elif parts[-1] == "events":
            self._answer(200, {"metadata": {"resourceVersion": str(server.version)}, "items": server.events})
        elif parts[-1] == "exec":
            server.programs.pop(0)(self)
        elif parts[-2] == "namespaces" or len(parts) == (7 if parts[0] == "apis" else 6):
            found = server.objects.get(path)
            self._answer(200, found) if found else self._answer(404, _status(404, "NotFound", f"{path} not found"))
        else:
            self._list(path, query)

    def _list(self, path: str, query: dict[str, str]) -> None:
        server = self.served
        wanted = [part.split("=") for part in query.get("labelSelector", "").split(",") if part]
        with server.lock:
            items = [
                {key: value for key, value in item.items() if key != "kind"}
                for name, item in sorted(server.objects.items())
                if name.rpartition("/")[0] == path
                and all(item["metadata"].get("labels", {}).get(key) == value for key, value in wanted)
            ]
        start = int(query.get("continue", 0))
        most = min(server.page, int(query.get("limit", server.page)))
        more = {"continue": str(start + most)} if len(items) > start + most else {}
        more["resourceVersion"] = str(server.version)
        self._answer(200, {"metadata": more, "items": items[start : start + most]})

    def _watch(self, path: str, query: dict[str, str]) -> None:
        server, version = self.served, int(query["resourceVersion"])
        wanted = [part.split("=") for part in query.get("labelSelector", "").split(",") if part]
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

        def send(kind: str, item: Object) -> None:
            line = json.dumps({"type": kind, "object": item}).encode() + b"\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            self.wfile.flush()

        self.close_connection = True
        while not server.over:
            with server.told:
                if version < server.oldest:
                    send("ERROR", _status(410, "Expired", "too old resource version"))
                    return
                new = [change for change in server.changes if change[0] > version]
                if not new:
                    server.told.wait(0.2)
            for change in new:
                version, name, kind, item = change
                labels = item["metadata"].get("labels", {})
                if kind == "CUT":
                    server.changes.remove(change)
                    server.oldest = item.get("oldest", server.oldest)
                    return
                if kind == "BOOKMARK" or (
                    name.rpartition("/")[0] == path and all(labels.get(key) == value for key, value in wanted)
                ):
                    send(kind, item)

    def _log(self, pod: str, query: dict[str, str]) -> None:
        parts = self.served.logs[pod]
        content = parts.pop(0) if len(parts) > 1 else parts[0]
        since = query.get("sinceTime", "").encode()
        lines = [line for line in content.splitlines(keepends=True) if line.partition(b" ")[0] >= since]
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines:
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        if content.endswith(b"\n"):
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True  # in the middle of a line

    def _patch(self, path: str, query: dict[str, str], body: Object) -> None:
        if self.headers["Content-Type"] != "application/apply-patch+yaml":
            self._answer(415, _status(415, "UnsupportedMediaType", "only apply is known"))
            return
        dry, force = query.get("dryRun") == "All", query.get("force") == "true"
        if path.count("/") == 4 and path.startswith("/api/v1/namespaces/"):
            self.served.objects[path] = body
            self._answer(201, body)
        else:
            self._answer(*self.served.apply(path, body, query["fieldManager"], force=force, dry=dry))

    def _delete(self, path: str, _query: dict[str, str], _body: Object) -> None:
        server = self.served
        with server.lock:
            gone = server.objects.pop(path, None)
            server.configurations = {key: item for key, item in server.configurations.items() if key[0] != path}
        self._answer(200, gone) if gone else self._answer(404, _status(404, "NotFound", f"{path} not found"))


@contextmanager
def serving(server: Server, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Its URL."""
    handler = type("Handler", (_Handler,), {"served": server})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        http.daemon_threads = True
        if context is not None:
            http.socket = context.wrap_socket(http.socket, server_side=True)
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"{'https://localhost' if context else 'http://127.0.0.1'}:{http.server_address[1]}"
        finally:
            server.over = True
            http.shutdown()
            thread.join()
