"""Turns for the threads of a supervisor.

A step of the driver is many short system calls with a little Python between them. The interpreter changes hands at each
of them if other threads wait for it, which costs more than the call does. So few threads take such a step at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio.to_thread import run_sync

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

AT_ONCE = 2
"""One computes while the kernel works for the other, which is about half of the time."""
PATIENCE = 0.2
"""Seconds after which turns are no longer waited for: their steps copy many files, or hang."""


class Turns:
    """For quick steps: turns save time, and exclude nothing. What waits for other processes needs none."""

    def __init__(self) -> None:
        self._free = anyio.Semaphore(AT_ONCE, fast_acquire=True)
        self._began_at = 0.0

    async def take(self, function: Callable[..., T], *args: object) -> T:
        """Call the function in a thread, in turn. Returns or raises what it does."""
        if not await self._wait():
            return await run_sync(function, *args)
        try:
            self._began_at = anyio.current_time()
            return await run_sync(function, *args)
        finally:
            self._free.release()

    async def _wait(self) -> bool:
        """Whether it is this one's turn; false if no other has begun for too long."""
        while self._free.value == 0:
            left = self._began_at + PATIENCE - anyio.current_time()
            if left <= 0:
                return False
            with anyio.move_on_after(left):
                await self._free.acquire()
                return True
        self._free.acquire_nowait()
        return True
