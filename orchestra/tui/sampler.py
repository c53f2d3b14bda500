"""Looks at the stacks each second, and at once when something happens: a thread of the dashboard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestra.errors import OrchestraError
from orchestra.linux.readiness import first_readable, readable
from orchestra.stacks.hearing import Wake

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.stacks.overview import Lookout, Overview

MEASURED, IDLE = 1.0, 5.0
"""Seconds between two looks: while what containers use is shown, and else."""
SHARE = 4.0
"""How many times as long as a look took it pauses at least: a busy machine is looked at less often."""
TOGETHER = 0.05
"""Seconds in which further news is awaited before it looks."""


class Sampler:
    """measures: whether what containers use is shown. pauses: whether nothing is."""

    def __init__(
        self,
        lookout: Lookout,
        show: Callable[[Overview, bool], None],
        fail: Callable[[OrchestraError | OSError], None],
    ) -> None:
        self.measures = True
        self.pauses = False
        self._told = ""
        self._lookout, self._show, self._fail = lookout, show, fail
        self._news = Wake()

    def wake(self) -> None:
        """Have it look now. From any thread."""
        self._news.give()

    def run(self, stop: int) -> None:
        while True:
            measures, began = self.measures, time.monotonic()
            if not self.pauses:
                self._look(measures)
            least = SHARE * (time.monotonic() - began)
            wait = None if self.pauses else max(least, MEASURED if measures else IDLE)
            if stop in first_readable([stop, self._news.fileno()], wait) or readable(
                stop, max(TOGETHER, min(least, MEASURED))
            ):
                return
            self._news.take()

    def _look(self, measures: bool) -> None:
        """An error is told once, not each second."""
        try:
            overview = self._lookout.look(measure=measures)
        except (OrchestraError, OSError) as error:
            if str(error) != self._told:
                self._told = str(error)
                self._fail(error)
        else:
            self._told = ""
            self._show(overview, measures)

    def close(self) -> None:
        """After its thread has ended."""
        self._news.close()
