"""Programs in containers of tasks, over the engine of the node that runs them.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Exec
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from orchestra.cluster.handover import taken_over
from orchestra.cluster.multiplex import Demultiplexer
from orchestra.cluster.program import OUTPUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestra.cluster.manager import Manager


class SwarmSession:
    """A ``program.Session``. body: what the engine is to run."""

    def __init__(self, manager: Manager, container: str, body: Mapping[str, object]) -> None:
        self._manager = manager
        self._terminal = bool(body.get("Tty"))
        self._exec = manager.post(f"/containers/{container}/exec", body)["Id"]
        self._resources = contextlib.ExitStack()
        begin = {"Detach": False, "Tty": self._terminal}
        response = self._resources.enter_context(manager.upgrade(f"/exec/{self._exec}/start", begin))
        self.connection, self.first = taken_over(response)
        self._demultiplexer = Demultiplexer()

    def received(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        if self._terminal:
            yield OUTPUT, data
        else:
            yield from self._demultiplexer.feed(data)

    def answers(self) -> bytes:
        return b""

    def rendered(self, data: bytes) -> bytes:
        return data

    def ended(self) -> None:
        return None

    def resized(self, rows: int, columns: int) -> bytes:
        self._manager.post(f"/exec/{self._exec}/resize", None, h=rows, w=columns)
        return b""

    def exit_code(self) -> int:
        return int(self._manager.get(f"/exec/{self._exec}/json")["ExitCode"])

    def close(self) -> None:
        self._resources.close()


def start_detached(manager: Manager, container: str, body: Mapping[str, object]) -> None:
    made = manager.post(f"/containers/{container}/exec", body)
    manager.post(f"/exec/{made['Id']}/start", {"Detach": True, "Tty": False})
