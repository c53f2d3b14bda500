"""Waits for changes of a cluster, which it tells of."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from orchestra.cluster.change import PAUSE
from orchestra.errors import OrchestraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_GATHERED = 0.1
"""Seconds for changes that come together to be looked at together."""


class News:
    """Wakes up when something changes; listens from the first time that is waited for. Use ``with``.

    sources: each gives an item for each change, in a thread of its own. cut: ends them all. tells_all: whether nothing
    changes without an item; otherwise, and when a source is over, since it is not allowed, for example, ``wait`` is
    short.
    """

    def __init__(
        self, sources: Sequence[Callable[[], Iterable[object]]], cut: Callable[[], object], *, tells_all: bool
    ) -> None:
        self._sources = sources
        self._cut = cut
        self._tells_all = tells_all
        self._changed = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> News:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._cut()
        for thread in self._threads:
            thread.join()

    def wait(self, seconds: float) -> None:
        """Until something has changed since the last time, at most so long."""
        if not self._threads:
            self._threads = [threading.Thread(target=self._run, args=(one,), daemon=True) for one in self._sources]
            for thread in self._threads:
                thread.start()
        whole = self._tells_all and all(thread.is_alive() for thread in self._threads)
        if self._changed.wait(seconds if whole else min(seconds, PAUSE)):
            time.sleep(_GATHERED)
        self._changed.clear()

    def _run(self, source: Callable[[], Iterable[object]]) -> None:
        try:
            for _item in source():
                self._changed.set()
        except OrchestraError:
            self._changed.set()  # what is wrong is told when the objects are looked at
