"""What the dashboard knows: the last look at the stacks, what their supervisors told, what is chosen. No widgets."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from orchestra.model.event import BlockedEvent, PullEvent, SnapshotEvent
from orchestra.model.resource import Kind
from orchestra.stacks.overview import Overview
from orchestra.tui.rows import Line, arrange
from orchestra.tui.usage_history import UsageHistory

if TYPE_CHECKING:
    from orchestra.model.event import Change, Event
    from orchestra.model.resource import ResourceId
    from orchestra.stacks.overview import ServiceView, StackView

EVENTS_KEPT = 2000


class Board:
    """lines: what the table shows. folded: stacks whose services it leaves out; wanted: part of the names to show.

    events: with the stack of each, the oldest first.
    """

    def __init__(self) -> None:
        self.overview = Overview()
        self.usage = UsageHistory()
        self.events: deque[tuple[str, Change]] = deque(maxlen=EVENTS_KEPT)
        self.lines: list[Line] = []
        self.folded: set[str] = set()
        self.wanted = ""
        self._blocked: dict[str, tuple[tuple[ResourceId, str], ...]] = {}

    def see(self, overview: Overview, *, measured: bool = True) -> None:
        self.overview = overview
        if measured:
            self.usage.add(overview)
        for gone in self._blocked.keys() - {stack.name for stack in overview.stacks}:
            del self._blocked[gone]
        self.arrange()

    def arrange(self) -> None:
        self.lines = arrange(self.overview, self.folded, self.wanted)

    def hear(self, stack: str, event: Event) -> None:
        match event:
            case SnapshotEvent(blocked=blocked):
                self._blocked[stack] = blocked
                return
            case PullEvent():
                return
            case BlockedEvent(blocked=blocked):
                self._blocked[stack] = blocked
        self.events.append((stack, event))

    def blocked(self, stack: str) -> tuple[tuple[ResourceId, str], ...]:
        """What cannot be done yet, and why."""
        return self._blocked.get(stack, ())

    def waits(self, stack: StackView) -> dict[str, str]:
        """By service, what a container of it waits for."""
        services = {each.row.name: each.row.service for each in stack.containers}
        found = {}
        for resource, why in self.blocked(stack.name):
            if resource.kind is Kind.CONTAINER:
                found[services.get(resource.name) or _service_of(stack.name, resource.name)] = why
        return found

    def chosen(self, index: int | None) -> tuple[StackView | None, ServiceView | None]:
        """What this line of the table is about; without a service for the line of a stack."""
        if index is None or not 0 <= index < len(self.lines):
            return None, None
        line = self.lines[index]
        stack = self.overview.stack(line.stack)
        return stack, stack.service(line.service) if stack and line.service else None


def _service_of(stack: str, container: str) -> str:
    """For a container that was not made yet."""
    found = re.fullmatch(rf"{re.escape(stack)}[-_](.+)[-_]\d+", container)
    return found[1] if found else container
