"""Programs in containers of tasks, over the engine of the node that runs them.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Exec
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from orchestra.cluster.handover import taken_over
from orchestra.cluster.manager import Denied
from orchestra.cluster.multiplex import Demultiplexer
from orchestra.cluster.program import OUTPUT
from orchestra.errors import TemporaryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestra.cluster.manager import Manager


_LOOKS, _PAUSE = 20, 0.1
"""For the exit code, and seconds between them."""


class SwarmSession:
    """A ``program.Session``. body: what the engine is to run."""

    def __init__(self, manager: Manager, container: str, body: Mapping[str, object]) -> None:
        self._manager = manager
        self._terminal = bool(body.get("Tty"))
        self._size: dict[str, int] = {}
        self._exec = manager.post(f"/containers/{container}/exec", body)["Id"]
        self._resources = contextlib.ExitStack()
        begin = {"Detach": False, "Tty": self._terminal}
        response = self._resources.enter_context(manager.upgrade(f"/exec/{self._exec}/start", begin))
        self.connection, self.first = taken_over(response)
        self._demultiplexer = Demultiplexer()

    def received(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        if self._terminal:
            if self._size:
                self._resize()
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
        self._size = {"h": rows, "w": columns}
        self._resize()
        return b""

    def _resize(self) -> None:
        """The engine refuses it before the program has begun, and when it has ended."""
        try:
            self._manager.post(f"/exec/{self._exec}/resize", None, **self._size)
        except Denied:
            return
        self._size = {}

    def exit_code(self) -> int:
        """Raises TemporaryError if it still runs: then its connection was lost."""
        for _look in range(_LOOKS):
            found = self._manager.get(f"/exec/{self._exec}/json")
            if not found.get("Running") and found.get("ExitCode") is not None:
                return int(found["ExitCode"])
            # The engine hears of the end of the output before it hears of that of the program.
            time.sleep(_PAUSE)
        raise TemporaryError("the connection to the program broke off")

    def close(self) -> None:
        self._resources.close()


def start_detached(manager: Manager, container: str, body: Mapping[str, object]) -> None:
    made = manager.post(f"/containers/{container}/exec", body)
    manager.post(f"/exec/{made['Id']}/start", {"Detach": True, "Tty": False})
