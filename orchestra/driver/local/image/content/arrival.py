"""How far a blob has come: its writer reports it, and others follow to read the blob while it grows."""

from __future__ import annotations

import threading


class Arrival:
    """The progress of one blob. Safe across threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = -1
        self._is_over = False
        self._failure: BaseException | None = None

    @property
    def is_over(self) -> bool:
        """Whether it is complete, or never will be."""
        return self._is_over

    def reach(self, count: int) -> None:
        """So many bytes can be read. Fewer than before means that it was begun anew."""
        with self._changed:
            self._count = count
            self._changed.notify_all()

    def end(self, failure: BaseException | None = None) -> None:
        """It is complete, unless there is a failure. The first call counts."""
        with self._changed:
            if not self._is_over:
                self._is_over, self._failure = True, failure
            self._changed.notify_all()

    def after(self, count: int) -> int | None:
        """Wait until the number of bytes is not ``count`` any more, and return it, -1 before the start; None at the
        end.

        Raises the failure, if there is one.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._count != count)
            if self._failure is not None:
                raise self._failure
            return None if self._is_over else self._count

    def wait(self) -> None:
        """Wait until it is complete. Raises the failure, if there is one."""
        count: int | None = -1
        while count is not None:
            count = self.after(count)


HERE = Arrival()
"""For every blob that was there before."""
HERE.end()
