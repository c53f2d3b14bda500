"""All stacks of a home at one moment, with their services, containers and what these use: for dashboards."""

from __future__ import annotations

import os
import time
from collections import Counter

from orchestra.driver import Part
from orchestra.model.desired import Desired
from orchestra.model.health import HealthStatus
from orchestra.model.names import StackName
from orchestra.model.project import Project
from orchestra.record import Record, replace
from orchestra.stacks.containers import damage_of
from orchestra.stacks.looks import Looks
from orchestra.stacks.ls import find_stacks
from orchestra.stacks.permission import reading
from orchestra.stacks.stack_states import StackStates
from orchestra.stacks.stats import Gauge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestra.model.usage import Usage
    from orchestra.stacks.containers import ContainerRow, Known
    from orchestra.stacks.context import Context

SEVERITY = ("restarting", "exited", "created", "paused", "running")
"""States of containers: that of a service is the first one that a container of it has."""
HEALTH_SEVERITY = (HealthStatus.UNHEALTHY, HealthStatus.STARTING, HealthStatus.HEALTHY)
DOWN = "down"
"""The state of a service without containers."""


class ContainerView(Record):
    """processor: percent of one processor since the look before; usage: None if it was not measured or does not run."""

    row: ContainerRow
    processor: float = 0.0
    usage: Usage | None = None


class ServiceView(Record):
    """wanted: how many containers the stack should have of it. containers: by index, those of one-off commands last.

    is_declared: whether the file has it.
    """

    name: str
    wanted: int = 0
    containers: tuple[ContainerView, ...] = ()
    is_declared: bool = True

    @property
    def state(self) -> str:
        """The state of the container that needs attention most; ``down`` without containers."""
        replicas = [each.row for each in self.containers if not each.row.one_off]
        states = {each.state for each in replicas or [each.row for each in self.containers]}
        return next((state for state in SEVERITY if state in states), min(states, default=DOWN))

    @property
    def health(self) -> HealthStatus:
        """The worst of running containers; ``NONE`` without probes."""
        found = {each.row.health.status for each in self.containers if each.row.runs}
        return next((status for status in HEALTH_SEVERITY if status in found), HealthStatus.NONE)

    @property
    def running(self) -> int:
        return sum(each.row.runs for each in self.containers if not each.row.one_off)

    @property
    def processor(self) -> float:
        """Percent of one processor."""
        return sum(each.processor for each in self.containers)

    @property
    def memory(self) -> int:
        """Bytes."""
        return sum(each.usage.memory for each in self.containers if each.usage)

    @property
    def ports(self) -> tuple[str, ...]:
        """Published ones, ``HOST_IP:PORT->PORT/PROTOCOL``."""
        return tuple(dict.fromkeys(port for each in self.containers if each.row.runs for port in each.row.ports))


class StackView(Record):
    """services: by name. files: what it was brought up from; directory: of the project. damage: files that cannot be
    read, in words.
    """

    name: str
    services: tuple[ServiceView, ...] = ()
    files: tuple[str, ...] = ()
    directory: str = ""
    damage: tuple[str, ...] = ()

    @property
    def containers(self) -> list[ContainerView]:
        return [container for service in self.services for container in service.containers]

    def service(self, name: str) -> ServiceView | None:
        return next((service for service in self.services if service.name == name), None)


class Overview(Record):
    """at: Unix seconds. stacks: by name."""

    at: float = 0.0
    stacks: tuple[StackView, ...] = ()

    def stack(self, name: str) -> StackView | None:
        return next((stack for stack in self.stacks if stack.name == name), None)


class Lookout:
    """Looks at the stacks of a home repeatedly. Not for several threads at once.

    stacks: which ones; empty for all that there are at each look. own: the stack of the caller's file, which is shown
    even before it is up.
    """

    def __init__(self, context: Context, stacks: Sequence[str] = (), own: Known | None = None) -> None:
        self._context = context
        self._stacks = tuple(stacks)
        self._own = own
        self._states = StackStates(context.home)
        self._kept: dict[str, tuple[Looks, Gauge]] = {}

    def look(self, *, measure: bool = True) -> Overview:
        """measure: processor and memory too. Raises EnvironmentLack if this user may not see the stacks."""
        with reading("stacks"):
            names = set(self._stacks or find_stacks(self._context.home))
            if self._own is not None and not self._stacks:
                names.add(self._own.stack)
            self._kept = {name: self._kept.get(name) or self._begin(name) for name in names}
            stacks = tuple(self._look(name, measure=measure) for name in sorted(names))
        return Overview(time.time(), stacks)

    def _begin(self, name: str) -> tuple[Looks, Gauge]:
        return Looks(self._context, name), Gauge(self._context.home.stack(name))

    def _look(self, name: str, *, measure: bool) -> StackView:
        looks, gauge = self._kept[name]
        rows = looks.read()
        measured = self._measure(gauge, rows) if measure else {}
        desired = self._states.desired(self._context.home.stack(name)) or Desired(StackName(name))
        declared: Sequence[str] = desired.services
        if self._own is not None and self._own.stack == name and self._own.services is not None:
            declared = self._own.services
        wanted = Counter(str(spec.service) for spec in desired.of_services)
        services = _by_service([measured.get(row.id, ContainerView(row)) for row in rows], declared, wanted)
        return StackView(name, services, desired.config_files, desired.project_directory, tuple(damage_of(rows)))

    def _measure(self, gauge: Gauge, rows: Sequence[ContainerRow]) -> dict[str, ContainerView]:
        """By the id of the container."""
        if not self._context.offers(Part.PROCESSES):
            return {}
        running = [row for row in rows if row.pid]
        return {
            row.id: ContainerView(row, read.processor, read.usage)
            for row, read in zip(running, gauge.read(running), strict=True)
        }


def context_of(context: Context, stack: StackView) -> Context:
    """The context of a stack of the home, with the files that it was brought up from if they are still there.

    Without them its use cases know it by its name; no file beside the caller, or sent by one, is taken for its own.
    """
    context = replace(context, files={}, variables=None)
    files = stack.files if all(os.path.isabs(path) and os.path.exists(path) for path in stack.files) else ()
    if not files:
        return replace(context, project=Project(name=stack.name), working_directory="/")
    project = Project(files=files, name=stack.name, directory=stack.directory or None)
    return replace(context, project=project, working_directory=stack.directory or None)


def _by_service(
    views: Iterable[ContainerView], declared: Iterable[str], wanted: Mapping[str, int]
) -> tuple[ServiceView, ...]:
    there: dict[str, list[ContainerView]] = {name: [] for name in declared}
    known = frozenset(there)
    for view in views:
        there.setdefault(view.row.service, []).append(view)
    return tuple(
        ServiceView(
            name,
            wanted.get(name, 0),
            tuple(sorted(containers, key=lambda each: (each.row.one_off, each.row.index, each.row.name))),
            name in known,
        )
        for name, containers in sorted(there.items())
    )
