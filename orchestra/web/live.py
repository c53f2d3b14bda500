"""Looks at the stack whenever something happens to it, and publishes what it looks like now. One thread for all pages.

``state``: the containers; ``usage``: what they use, while any page is open; ``event``: what has happened.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from orchestra.driver import Part
from orchestra.errors import OrchestraError
from orchestra.model.event import AskedEvent, FileEvent, SnapshotEvent
from orchestra.stacks.containers import look_at_containers
from orchestra.stacks.hearing import Hearing
from orchestra.stacks.stats import Meter, StatsOptions
from orchestra.web.errors import explain
from orchestra.web.feed import Message
from orchestra.web.shape import event_data, state_data, usage_data

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from orchestra.model.event import Event
    from orchestra.stacks.context import Context
    from orchestra.stacks.hearing import Wake

PAUSE = 0.1
"""Seconds between two looks at least: hundreds of containers may begin at once."""
SAMPLE = 2.0
"""Seconds between two measurements of usage."""


class Live:
    """publish: takes messages. has_audience: whether any page is open. wake: the caller closes it after ``run``."""

    def __init__(
        self,
        context: Context,
        stack: str,
        publish: Callable[[Message], None],
        has_audience: Callable[[], bool],
        wake: Wake,
    ) -> None:
        self._context = context
        self._stack = stack
        self._publish = publish
        self._has_audience = has_audience
        self._wake = wake
        self._hearing = Hearing(context, stack, wake.fileno())
        self._meter: Meter | None = None
        self._asked = 0
        self._told = b""
        self._is_over = False

    def run(self) -> None:
        """Until ``close``, in a thread of its own."""
        try:
            self._look()
            while not self._is_over:
                watches = self._has_audience()
                for event in self._hear(SAMPLE if watches else None):
                    self._asked += isinstance(event, AskedEvent | FileEvent | SnapshotEvent)
                    if row := event_data(event):
                        self._tell("event", row)
                self._look()
                if watches:
                    self._measure()
                if not self._is_over:
                    time.sleep(PAUSE)
        finally:
            self._hearing.close()

    def wake(self) -> None:
        """A page has been opened, or a command has ended. From any thread."""
        self._wake.give()

    def close(self) -> None:
        self._is_over = True
        self._wake.give()

    def _hear(self, seconds: float | None) -> list[Event]:
        try:
            events = self._hearing.hear(seconds)
            self._wake.take()
            return events
        except OSError:  # no inotify instance or descriptor is left: look now and then
            time.sleep(SAMPLE)
            return []

    def _look(self) -> None:
        """Publish the state if it is another one."""
        try:
            rows = look_at_containers(self._context, self._stack, tell_restarts=True)
            data: dict[str, Any] = state_data(rows)
        except (OrchestraError, OSError, ValueError) as error:
            data = {"containers": [], **explain(error)}
        data |= {"stack": self._stack, "supervised": self._hearing.is_supervised, "asked": self._asked}
        told = json.dumps(data, separators=(",", ":")).encode()
        if told != self._told:
            self._told = told
            self._publish(Message("state", told))

    def _measure(self) -> None:
        if not self._context.offers(Part.PROCESSES):
            return
        try:
            self._meter = self._meter or Meter(self._context, StatsOptions())
            rows = self._meter.read()
        except (OrchestraError, OSError, ValueError):
            self._meter = None  # a container has gone while it was measured, or the file has an error just now
            return
        self._tell("usage", {"at": time.time(), "containers": usage_data(rows)})

    def _tell(self, topic: str, data: Any) -> None:
        self._publish(Message(topic, json.dumps(data, separators=(",", ":")).encode()))
