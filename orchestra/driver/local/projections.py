"""Rules and names of a stack made to follow its attachments, in the background and many changes at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

from orchestra.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable


class Projections:
    """apply: makes everything follow what is so when it is called; it runs in a thread, never twice at once."""

    def __init__(self, apply: Callable[[], None]) -> None:
        self._apply = apply
        self._asked = 0
        self._followed = 0
        self._error: DriverError | None = None
        self._wake = anyio.Event()
        self._done = anyio.Event()

    def ask(self) -> None:
        """Something has changed."""
        self._asked += 1
        self._wake.set()

    async def settle(self) -> None:
        """Until everything asked for so far is in effect. Raises the DriverError of the last attempt."""
        asked = self._asked
        while self._followed < asked:
            await self._done.wait()
        if self._error is not None:
            raise self._error

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            asked = self._asked
            try:
                await run_sync(self._apply)
                self._error = None
            except DriverError as error:
                self._error = error
            self._followed = asked
            self._done.set()
            self._done = anyio.Event()
