"""Rules and names of a stack, updated from its attachments in the background, many changes at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

from orchestra.errors import DriverError
from orchestra.plan.backoff import delay

if TYPE_CHECKING:
    from collections.abc import Callable


PAUSE, LONGEST_PAUSE = 2, 0.1
"""How many times as long as the last run took the next change waits, and how many seconds at most."""


class Projections:
    """restore: updates everything to match the current state, including what an earlier process left half done.

    apply: the same, once that has succeeded. publish: only the names, when nothing has happened that rules depend on.
    All run in a thread, never two at once. Failures are tried again.
    """

    def __init__(self, restore: Callable[[], None], apply: Callable[[], None], publish: Callable[[], None]) -> None:
        self._restore: Callable[[], None] | None = restore
        self._apply = apply
        self._publish = publish
        self._asked = self._rules_asked = 1  # for ``restore``
        self._followed = self._rules_applied = 0
        self._error: DriverError | None = None
        self._wake = anyio.Event()
        self._done = anyio.Event()

    def ask(self, *, rules: bool = True) -> None:
        """Something has changed. rules: that they may depend on; names do in any case."""
        self._asked += 1
        if rules:
            self._rules_asked = self._asked
        self._wake.set()

    @property
    def rules_are_pending(self) -> bool:
        """Whether rules that were asked for are not in effect yet."""
        return self._followed < self._rules_asked

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
            asked, began = self._asked, anyio.current_time()
            names_only = self._rules_applied >= self._rules_asked
            try:
                await run_sync(self._restore or (self._publish if names_only else self._apply))
                self._restore, self._error, attempts = None, None, 0
                self._rules_applied = asked
            except DriverError as error:
                self._error, attempts = error, attempts + 1
            self._followed = asked
            self._done.set()
            self._done = anyio.Event()
            took = anyio.current_time() - began
            with anyio.move_on_after(delay(attempts - 1) if attempts else None):
                await self._wake.wait()
            # What comes soon after is followed together with it: a run looks at all containers of the stack.
            await anyio.sleep(min(took * PAUSE, LONGEST_PAUSE))
            self._wake = anyio.Event()
