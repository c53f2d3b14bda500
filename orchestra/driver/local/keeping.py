"""Keeping what makes containers whole again after a reboot, in the background: nothing waits for the disk."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GATHERING = 0.3
"""Seconds after a change: a container that is made and started at once is written down once."""


class Keeping:
    """keep: writes one container down, in a thread; for a name without a container it does nothing."""

    def __init__(self, keep: Callable[[str], None]) -> None:
        self._keep = keep
        self._due: set[str] = set()
        self._wake = anyio.Event()

    def note(self, name: str) -> None:
        """Its container was made, or has begun or ended a run."""
        self._due.add(name)
        self._wake.set()

    async def flush(self, names: Sequence[str]) -> None:
        """Write these down now."""
        await run_sync(self._keep_all, names)

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            await anyio.sleep(GATHERING)
            self._wake, due, self._due = anyio.Event(), self._due, set()
            await run_sync(self._keep_all, sorted(due))

    def _keep_all(self, names: Sequence[str]) -> None:
        for name in names:
            try:
                self._keep(name)
            except OSError as error:  # a full disk, perhaps; the next change tries again
                print(f"container {name} would be made anew after a reboot: {error}", file=sys.stderr, flush=True)
