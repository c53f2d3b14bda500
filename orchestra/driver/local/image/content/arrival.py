"""How far a blob has come: told by its writer, followed by whoever reads it while it grows."""

from __future__ import annotations

import threading


class Arrival:
    """Of one blob. Safe across threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = -1
        self._is_over = False
        self._failure: BaseException | None = None

    @property
    def is_over(self) -> bool:
        """Whether it is whole, or will never be."""
        return self._is_over

    def reach(self, count: int) -> None:
        """So many of its bytes can be read. Fewer than before: it was begun anew."""
        with self._changed:
            self._count = count
            self._changed.notify_all()

    def end(self, failure: BaseException | None = None) -> None:
        """It is whole, unless there is a failure. What comes first counts."""
        with self._changed:
            if not self._is_over:
                self._is_over, self._failure = True, failure
            self._changed.notify_all()

    def after(self, count: int) -> int | None:
        """Wait until other than ``count`` bytes are there, -1 for not begun: how many; None once it is whole.

        Raises what it failed with.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._count != count)
            if self._failure is not None:
                raise self._failure
            return None if self._is_over else self._count

    def wait(self) -> None:
        """Until it is whole. Raises what it failed with."""
        count: int | None = -1
        while count is not None:
            count = self.after(count)


HERE = Arrival()
"""Of every blob that was there before."""
HERE.end()
