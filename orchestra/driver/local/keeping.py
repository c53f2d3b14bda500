"""Keeping what makes containers whole again after a reboot, in the background: nothing waits for the disk."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GATHERING, LONGEST = 0.3, 2.0
"""Seconds without a further change, and with: a container that is made and started at once is written down once."""


class Keeping:
    """keep: writes containers down, in a thread; a name without a container is passed over."""

    def __init__(self, keep: Callable[[Sequence[str]], None]) -> None:
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
            with anyio.move_on_after(LONGEST):
                await self._quiet()
            due, self._due = self._due, set()
            await run_sync(self._keep_all, sorted(due))

    async def _quiet(self) -> None:
        while self._wake.is_set():
            self._wake = anyio.Event()
            await anyio.sleep(GATHERING)

    def _keep_all(self, names: Sequence[str]) -> None:
        try:
            self._keep(names)
        except OSError as error:  # a full disk, perhaps; the next change tries again
            print(f"containers would be made anew after a reboot: {error}", file=sys.stderr, flush=True)
