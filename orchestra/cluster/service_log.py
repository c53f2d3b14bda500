"""The log of a service of a Swarm: of all its tasks, on all nodes.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Service/operation/ServiceLogs
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from orchestra.cluster.multiplex import Demultiplexer
from orchestra.errors import TemporaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestra.cluster.manager import Manager

_TASK = b"com.docker.swarm.task.id"
_PAUSE = 1.0


def read_log(
    manager: Manager,
    name: str,
    *,
    follow: bool,
    tail: int | None,
    since: str,
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[tuple[str, bytes]]:
    """Tasks, and their lines, each after its time and a space. Followed, a connection that is cut is made again."""
    tasks = _Tasks(manager, name)
    query: dict[str, object] = {"stdout": 1, "stderr": 1, "timestamps": 1, "details": 1, "follow": int(follow)}
    query |= {} if tail is None else {"tail": tail}
    query |= {"since": _seconds(since)} if since else {}
    last = seen = b""
    while True:
        try:
            with manager.stream(f"/services/{name}/logs", **query) as chunks:
                for piece in _pieces(chunks, raw=tasks.have_terminals):
                    moment, _, rest = piece.partition(b" ")
                    details, _, text = rest.partition(b" ")
                    if moment > seen:
                        last = moment
                        yield tasks.name_of(details), moment + b" " + text
            return
        except TemporaryError:
            if not follow:
                raise
            pause(_PAUSE)
            if last:
                seen = last
                query.pop("tail", None)
                query["since"] = _seconds(last.decode())


def _pieces(chunks: Iterator[bytes], *, raw: bool) -> Iterator[bytes]:
    """Lines. raw: a task with a terminal has one stream only."""
    if raw:
        from orchestra.cluster.lines import lines

        yield from (line.removesuffix(b"\r") for line in lines(chunks))
        return
    streams = Demultiplexer()
    for chunk in chunks:
        for _stream, content in streams.feed(chunk):
            yield content.removesuffix(b"\n")


def _seconds(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).timestamp():.6f}"


class _Tasks:
    """Names of the tasks of a service by their identities, which its log has."""

    def __init__(self, manager: Manager, name: str) -> None:
        self._manager = manager
        self._name = name
        spec = manager.get(f"/services/{name}")["Spec"]["TaskTemplate"]["ContainerSpec"]
        self.have_terminals = bool(spec.get("TTY"))
        self._names: dict[str, str] = {}

    def name_of(self, details: bytes) -> str:
        """details: ``key=value`` pairs, with commas between them."""
        pairs = dict(part.partition(b"=")[::2] for part in details.split(b","))
        identity = pairs.get(_TASK, b"").decode()
        if identity not in self._names:
            found = self._manager.get("/tasks", filters={"service": [self._name]})
            self._names |= {task["ID"]: f"{self._name}.{task.get('Slot') or task.get('NodeID')}" for task in found}
        return self._names.setdefault(identity, self._name)
