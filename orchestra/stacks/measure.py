"""``metrics``: what the containers of stacks use, how they are, and what has been done, read again and again."""

from __future__ import annotations

import errno
import fcntl
import os
from collections import Counter

from orchestra.control.tally import Counting, Tally
from orchestra.driver import Part
from orchestra.errors import OrchestraError, UserError
from orchestra.model.wish import Goal
from orchestra.record import Record
from orchestra.stacks.containers import find_stack
from orchestra.stacks.looks import Looks
from orchestra.stacks.ls import find_stacks
from orchestra.stacks.permission import reading
from orchestra.stacks.stack_states import StackStates
from orchestra.stacks.stats import Gauge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.home import StackHome
    from orchestra.model.usage import Usage
    from orchestra.stacks.containers import ContainerRow
    from orchestra.stacks.context import Context

__all__ = ["ContainerReading", "Measuring", "StackReading", "choose_stacks"]


class ContainerReading(Record):
    """usage: None if it does not run, or the driver cannot tell."""

    row: ContainerRow
    usage: Usage | None


class StackReading(Record):
    """supervised: a supervisor runs. desired, running: numbers of containers by service, without one-off ones.

    error: why it could not be read, in words; then the rest is empty.
    """

    stack: str
    containers: Sequence[ContainerReading] = ()
    desired: Mapping[str, int] = {}
    running: Mapping[str, int] = {}
    tally: Tally | None = None
    supervised: bool = False
    error: str = ""


def choose_stacks(context: Context, names: Sequence[str]) -> tuple[str, ...]:
    """Those that are named, else the one that ``-p`` or ``-f`` mean; empty for all of the home.

    Raises UserError for a name without a stack, and the errors of a load.
    """
    if not names:
        return (find_stack(context).stack,) if context.project.name or context.project.files else ()
    with reading("stacks"):
        known = find_stacks(context.home)
    for name in names:
        if name not in known:
            from orchestra.nearest import suggest

            raise UserError(f"no such stack: {name}", hint=suggest(name, known, "stacks") or "there are no stacks")
    return tuple(dict.fromkeys(names))


class Measuring:
    """Remembers where a container's counters are, and which events have been counted.

    stacks: empty for all of the home, those that are still to come included. Raises EnvironmentLack without permission.
    """

    def __init__(self, context: Context, stacks: Sequence[str] = ()) -> None:
        context.need_privileges()
        self._context = context
        self._stacks = stacks
        self._states = StackStates(context.home)
        self._measures = context.offers(Part.PROCESSES)
        self._kept: dict[str, tuple[Looks, Gauge, Counting]] = {}

    def read(self) -> list[StackReading]:
        """Sorted by name. Not to be called by two threads at once. Raises EnvironmentLack without permission."""
        with reading("stacks"):
            names = sorted(self._stacks) or find_stacks(self._context.home)
        self._kept = {name: self._kept.get(name) or self._begin(name) for name in names}
        return [self._read_stack(name) for name in names]

    def _begin(self, name: str) -> tuple[Looks, Gauge, Counting]:
        home = self._context.home.stack(name)
        return Looks(self._context, name), Gauge(home), Counting(home)

    def _read_stack(self, name: str) -> StackReading:
        home = self._context.home.stack(name)
        looks, gauge, counting = self._kept[name]
        try:
            rows = looks.read()
            usages = {each.id: each.usage for each in gauge.read([row for row in rows if row.pid and self._measures])}
            readings = [ContainerReading(row, usages.get(row.id)) for row in rows]
            tally = counting.read()
        except (OrchestraError, OSError) as error:
            return StackReading(name, error=str(error))
        running = Counter(row.service for row in rows if row.runs and not row.one_off)
        return StackReading(name, readings, self._desired(home), running, tally, _is_supervised(home))

    def _desired(self, home: StackHome) -> dict[str, int]:
        desired = self._states.desired(home)
        if desired is None or desired.is_down:
            return {}
        counts = dict.fromkeys((str(service) for service in desired.services if service not in desired.disabled), 0)
        for spec in desired.of_services:
            if desired.wish_of(spec).goal is Goal.RUN:
                counts[spec.service] = counts.get(spec.service, 0) + 1
        return counts


def _is_supervised(home: StackHome) -> bool:
    """Whether a process holds the lock of the supervisor."""
    try:
        fd = os.open(home.lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # One that is just starting waits for the moment that this takes.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno != errno.EWOULDBLOCK:
            raise
        return True
    finally:
        os.close(fd)
    return False
