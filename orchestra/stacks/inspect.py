"""``inspect``: everything that is known about containers."""

from __future__ import annotations

from orchestra.driver import Part
from orchestra.errors import ComposeFileNotFound, UserError
from orchestra.record import Record, replace
from orchestra.stacks.containers import Seen, damage_of, find_stack, ignore, look_at_containers, observe_containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from orchestra.stacks.containers import ContainerRow, Known
    from orchestra.stacks.context import Context

    Found = list[tuple[str, ContainerRow]]
    """Containers, each with its stack."""

SHORTEST_ID = 4
"""Minimum number of characters for a prefix of an id."""


class Inspected(Record):
    """details: in Docker's shape."""

    stack: str
    row: ContainerRow
    details: dict[str, Any]


class Inspector:
    """Finds containers by service, name or id: in the stack of the context, else in any stack.

    Without a Compose file, the context has no stack. Raises UserError for a driver whose containers have no files.
    """

    def __init__(self, context: Context, replica: int | None, tell: Callable[[Seen], None] = ignore) -> None:
        context.need(Part.FILES)
        self._context = context
        self._replica = replica
        self._known = _find_stack(context)
        self._rows = [] if self._known is None else self._look(self._known.stack)
        if self._known is not None:
            there = [row for _, row in self._rows]
            tell(Seen(bool(there), damage_of(there)))

    def inspect(self, subject: str) -> list[Inspected]:
        """The containers of a service by index, or one container. Raises UserError if ``subject`` is neither."""
        return [found for stack, row in self._find(subject) if (found := self._details(stack, row)) is not None]

    def _find(self, subject: str) -> Found:
        replicas = sorted((each for each in self._rows if each[1].service == subject), key=lambda each: each[1].index)
        chosen = [each for each in replicas if self._replica in (None, 0, each[1].index)]
        if chosen:
            return chosen
        if replicas:
            indices = ", ".join(str(row.index) for _, row in replicas)
            raise UserError(f'service "{subject}" has no container {self._replica}', hint=f"--index may be {indices}")
        if self._known is not None and subject in (self._known.services or ()):
            raise UserError(f'service "{subject}" has no container', hint="orchestra up makes one")
        everywhere = self._everywhere()
        named = [each for each in everywhere if subject == each[1].name]
        found = named or [each for each in everywhere if _is_id(subject, each[1])]
        if len(found) == 1:
            return found
        if found:
            names = ", ".join(f"{row.name} of stack {stack}" for stack, row in found)
            raise UserError(f"{subject} names several containers", hint=f"it may be {names}; use -p or more of the id")
        raise self._unknown(subject, everywhere)

    def _everywhere(self) -> Found:
        from orchestra.stacks.ls import find_stacks

        own = None if self._known is None else self._known.stack
        others = (name for name in find_stacks(self._context.home) if name != own)
        return self._rows + [each for name in others for each in self._look(name)]

    def _look(self, stack: str) -> Found:
        return [(stack, row) for row in look_at_containers(self._context, stack, tell_restarts=True)]

    def _details(self, stack: str, row: ContainerRow) -> Inspected | None:
        """None if the container was removed in the meantime."""
        from orchestra.driver.local.inspection import inspect
        from orchestra.model.observed import Created, Exited

        home = self._context.home
        container = next((each for each in observe_containers(self._context, stack) if each.name == row.name), None)
        if container is None:
            return None
        if isinstance(container.status, Created) and row.state == "exited":
            # Before a reboot, and it is not made whole yet.
            ended = Exited(row.exit_code, row.started_at, row.finished_at, row.oom_killed)
            container = replace(container, status=ended)
        details = inspect(home, home.stack(stack), container, is_restarting=row.state == "restarting")
        return Inspected(stack, row, details)

    def _unknown(self, subject: str, everywhere: Found) -> UserError:
        from orchestra.nearest import suggest

        services = {row.service for _, row in self._rows}.union((self._known and self._known.services) or ())
        hint = suggest(subject, services | {row.name for _, row in everywhere}, "services and containers")
        return UserError(f"no such service or container: {subject}", hint=hint or "there are no containers")


def _find_stack(context: Context) -> Known | None:
    try:
        return find_stack(context)
    except ComposeFileNotFound:
        if context.project.files:
            raise
        return None


def _is_id(subject: str, row: ContainerRow) -> bool:
    return len(subject) >= SHORTEST_ID and row.id.startswith(subject)
