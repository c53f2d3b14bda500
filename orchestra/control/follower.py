"""Keeps a process that follows the files of the stack, as long as they are to be followed.

It is a process of its own because only a loader can read the files, and what lives long does without that. It ends
with the supervisor, at the end of its standard input; the next supervisor starts another.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from orchestra.control.following import load_following, store_following
from orchestra.engine.companion import run_companion
from orchestra.errors import UserError
from orchestra.model.event import FileChange, FileEvent
from orchestra.model.following import Following
from orchestra.model.request import Changes
from orchestra.model.wish import Recreate
from orchestra.record import replace
from orchestra.shim.supervision import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.home import StackHome
    from orchestra.model.edit import Edit, Follow
    from orchestra.model.event import Event

MODULE = "orchestra.stacks.following"


class Follower:
    """announce: is given the events."""

    def __init__(self, home: StackHome, announce: Callable[[Event], None], clock: Callable[[], float]) -> None:
        """clock: Unix seconds."""
        self._home = home
        self._announce = announce
        self._clock = clock
        self._following = load_following(home)
        self._latest = self._following.follow.edits if self._following else 0
        self._changed = anyio.Event()
        self._running: anyio.CancelScope | None = None

    @property
    def following(self) -> Following | None:
        return self._following

    async def begin(self, follow: Follow, changes: Changes) -> None:
        """changes: of the command; what it asked for once is not repeated with each edit."""
        recreate = Recreate.NEVER if changes.recreate is Recreate.NEVER else Recreate.CHANGED
        lasting = Changes(recreate=recreate, remove_orphans=changes.remove_orphans, stop_timeout=changes.stop_timeout)
        await self._store(Following(follow, lasting))
        self._latest = follow.edits
        self._restart()
        self._tell(FileChange.FOLLOWED)

    async def end(self) -> bool:
        """Whether the stack was followed until now."""
        if self._following is None:
            return False
        await self._store(None)
        self._restart()
        self._tell(FileChange.LEFT)
        return True

    def check(self, follow: Follow) -> Following:
        """Raise UserError if the stack is not followed any more, or by another command, or there was a later edit."""
        if self._following is None or self._following.follow.at != follow.at:
            raise UserError(f"stack {self._home.name} is not followed any more by this process")
        if follow.edits < self._latest:
            raise UserError(f"edit {follow.edits} comes too late: it was followed by edit {self._latest}")
        self._latest = follow.edits
        return self._following

    async def note(self, follow: Follow, edit: Edit) -> None:
        """What came of an edit. Raises what ``check`` raises."""
        following = replace(self.check(follow), follow=follow, edit=edit)
        try:
            await self._store(following)
        except OSError as error:  # what runs comes first: the next supervisor looks at the files again
            print(f"the last edit cannot be noted: {error}", file=sys.stderr, flush=True)
            self._following = following
        self._tell(FileChange.REFUSED if edit.error else FileChange.APPLIED, edit)

    async def keep(self) -> None:
        """Until cancelled."""
        backoff = Backoff()
        while True:
            while self._following is None:
                await self._changed.wait()
            at, began = self._following.follow.at, anyio.current_time()
            with anyio.CancelScope() as self._running:
                arguments = [self._home.name, self._following.follow.driver]
                await run_companion(MODULE, arguments, refusal="the files of the stack cannot be followed")
            if self._is_followed_since(at):
                delay = backoff.next_delay(anyio.current_time() - began)
                print(f"the process that follows the files has ended: another in {delay:.2f} s", file=sys.stderr)
                with anyio.move_on_after(delay):
                    await self._changed.wait()

    def _is_followed_since(self, at: float) -> bool:
        return self._following is not None and self._following.follow.at == at

    async def _store(self, following: Following | None) -> None:
        await anyio.to_thread.run_sync(store_following, self._home, following)
        self._following = following

    def _restart(self) -> None:
        if self._running is not None:
            self._running.cancel()
        self._changed.set()
        self._changed = anyio.Event()

    def _tell(self, change: FileChange, edit: Edit | None = None) -> None:
        self._announce(FileEvent(self._clock(), change, edit))
