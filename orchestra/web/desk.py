"""What the handlers of requests share."""

from __future__ import annotations

from collections import OrderedDict
from secrets import token_hex
from threading import Lock
from typing import TYPE_CHECKING

from orchestra.record import replace

if TYPE_CHECKING:
    from orchestra.model.reviewed import ReviewedPlan
    from orchestra.stacks.context import Context
    from orchestra.stacks.stack_file import Prepared
    from orchestra.web.access import Door, Keys
    from orchestra.web.feed import Feed
    from orchestra.web.live import Live

PLANS = 16
"""That can still be applied: older ones are to be made again."""


class Desk:
    """read_only: nothing can be changed, even by an operator. live: None until the server runs."""

    def __init__(self, context: Context, stack: str, keys: Keys, door: Door, feed: Feed, *, read_only: bool) -> None:
        self.context = context
        self.stack = stack
        self.keys = keys
        self.door = door
        self.feed = feed
        self.read_only = read_only
        self.live: Live | None = None
        self._plans: OrderedDict[str, tuple[Prepared, ReviewedPlan]] = OrderedDict()
        self._lock = Lock()

    def of_command(self, command: str) -> Context:
        """For a change: the history says what was asked for."""
        return replace(self.context, command=f"web: {command}")

    def keep(self, prepared: Prepared, plan: ReviewedPlan) -> str:
        """Under a name for ``take``."""
        name = token_hex(8)
        with self._lock:
            self._plans[name] = prepared, plan
            while len(self._plans) > PLANS:
                self._plans.popitem(last=False)
        return name

    def take(self, name: str) -> tuple[Prepared, ReviewedPlan] | None:
        """Once: a plan that was applied is over."""
        with self._lock:
            return self._plans.pop(name, None)

    def look(self) -> None:
        if self.live is not None:
            self.live.wake()
