"""Rules and names of a stack, updated from its attachments in the background, many changes at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

from orchestra.errors import DriverError
from orchestra.plan.backoff import delay

if TYPE_CHECKING:
    from collections.abc import Callable


class Projections:
    """restore: updates everything to match the current state, including what an earlier process left half done.

    apply: the same, once that has succeeded. Both run in a thread, never two at once. Failures are tried again.
    """

    def __init__(self, restore: Callable[[], None], apply: Callable[[], None]) -> None:
        self._restore: Callable[[], None] | None = restore
        self._apply = apply
        self._asked = 1  # for ``restore``
        self._followed = 0
        self._error: DriverError | None = None
        self._wake = anyio.Event()
        self._done = anyio.Event()

    def ask(self) -> None:
        """Something has changed."""
        self._asked += 1
        self._wake.set()

    @property
    def is_pending(self) -> bool:
        """Whether something that was asked for is not in effect yet."""
        return self._followed < self._asked

    async def settle(self) -> None:
        """Wait until everything asked for so far is in effect, and failures have been tried again.

        Raises DriverError.
        """
        if self._error is not None:
            self.ask()
        asked = self._asked
        while self._followed < asked:
            await self._done.wait()
        if self._error is not None:
            raise self._error

    async def run(self) -> None:
        attempts = 0
        while True:
            asked = self._asked
            try:
                await run_sync(self._restore or self._apply)
                self._restore, self._error, attempts = None, None, 0
            except DriverError as error:
                self._error, attempts = error, attempts + 1
            self._followed = asked
            self._done.set()
            self._done = anyio.Event()
            with anyio.move_on_after(delay(attempts - 1) if attempts else None):
                await self._wake.wait()
            self._wake = anyio.Event()
