"""Host ports that a stack took instead of those in its file, so that it takes the same ones the next time."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from orchestra.linux import private_files

if TYPE_CHECKING:
    from orchestra.model.container import Port


class RememberedPorts:
    """A file with a mapping of ``HOST_IP:PORT/PROTOCOL`` to the port that was taken. A damaged file counts as empty.

    path: '' remembers nothing.
    """

    def __init__(self, path: str = "") -> None:
        self._path = path

    def find(self, port: Port) -> int | None:
        found = self._load().get(_key(port))
        return found if isinstance(found, int) and 0 < found < 1 << 16 else None

    def store(self, port: Port, taken: int) -> None:
        """Does nothing if that is known already."""
        known = self._load()
        if self._path and known.get(_key(port)) != taken:
            private_files.make_directories(os.path.dirname(self._path))
            private_files.store(self._path, json.dumps({**known, _key(port): taken}).encode())

    def _load(self) -> dict[str, object]:
        try:
            with open(self._path, "rb") as file:
                found = json.load(file)
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _key(port: Port) -> str:
    return f"{port.host_ip}:{port.published}/{port.protocol}"
