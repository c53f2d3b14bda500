"""The definitions of containers in the desired states of stacks, read again when a file has changed."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, NamedTuple

from orchestra.model.codec import decode
from orchestra.model.desired import Desired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.home import Home, StackHome
    from orchestra.model.container import ContainerSpec


class _Read(NamedTuple):
    stamp: tuple[int, int, int]
    desired: Desired
    specs: Mapping[str, ContainerSpec]


class StackStates:
    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._read: dict[str, _Read] = {}

    def desired(self, home: StackHome) -> Desired | None:
        """None for a stack that is down, or whose file is damaged: its supervisor reports that."""
        found = self._find(home)
        return found.desired if found else None

    def specs(self, home: StackHome) -> Mapping[str, ContainerSpec]:
        """By the name of the container."""
        found = self._find(home)
        return found.specs if found else {}

    def _find(self, home: StackHome) -> _Read | None:
        try:
            with open(home.desired, "rb") as file:
                status = os.fstat(file.fileno())
                stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
                with self._lock:
                    known = self._read.get(home.name)
                if known and known.stamp == stamp:
                    return known
                desired = decode(Desired, json.loads(file.read()))
        except (OSError, ValueError):
            with self._lock:
                self._read.pop(home.name, None)
            return None
        read = _Read(stamp, desired, {str(spec.name): spec for spec in desired.containers})
        with self._lock:
            self._read[home.name] = read
        return read
