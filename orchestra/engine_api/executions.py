"""Programs executed in containers, by their ids: between their creation and a while after their end."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from orchestra.engine_api.errors import not_found

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from orchestra.shim.client import Execution

KEPT = 256
"""Ended or unstarted ones that can still be inspected."""


class Executed:
    """running: it has been started and has not ended. exit_code: None until it has."""

    def __init__(self, container: str, options: Mapping[str, Any]) -> None:
        self.id = os.urandom(32).hex()
        self.container = container
        self.options = options
        self.started = self.running = False
        self.exit_code: int | None = None
        self.execution: Execution | None = None

    @property
    def terminal(self) -> bool:
        return bool(self.options.get("Tty"))


class Executions:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: dict[str, Executed] = {}

    def add(self, executed: Executed) -> None:
        with self._lock:
            resting = [each.id for each in self._all.values() if not each.running]
            for old in resting[: max(0, len(resting) - KEPT)]:
                del self._all[old]
            self._all[executed.id] = executed

    def find(self, word: str) -> Executed:
        """Raises ApiError."""
        with self._lock:
            found = self._all.get(word) or next((each for id, each in self._all.items() if id.startswith(word)), None)
        if found is None:
            raise not_found(f"No such exec instance: {word}")
        return found

    def of_container(self, container: str) -> list[str]:
        with self._lock:
            return [each.id for each in self._all.values() if each.container == container and each.running]

    def any_runs(self) -> bool:
        with self._lock:
            return any(each.running for each in self._all.values())
