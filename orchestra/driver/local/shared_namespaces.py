"""Namespaces that containers of a stack share with others: whose they are, and their places in a bundle."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.observe import observe_container
from orchestra.driver.local.record import load_record, sound
from orchestra.errors import TemporaryError
from orchestra.model.names import ContainerName, container_name
from orchestra.model.observed import Running
from orchestra.model.sharing import OfContainer, OfService

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestra.home import StackHome
    from orchestra.model.container import ContainerSpec

    Joins = Sequence[tuple[str, str]]
    """The container that has the namespace, by kind of namespace."""

SHARED = ("pid", "ipc")
"""Kinds of namespace that a service may share with another. The network's is pinned, and joined by its path."""


def container_names(home: StackHome) -> list[str]:
    try:
        return sorted(os.listdir(home.containers))
    except FileNotFoundError:
        return []


def find_joins(home: StackHome, stack: str, spec: ContainerSpec) -> tuple[tuple[str, str], ...]:
    """The container that has the namespace, by kind of namespace."""

    def find() -> Iterator[tuple[str, str]]:
        for kind in SHARED:
            match getattr(spec, kind):
                case OfService(service):
                    yield kind, _first_of(home, stack, service)
                case OfContainer(container):
                    yield kind, container

    return tuple(find())


def find_origins(home: StackHome, stack: str, spec: ContainerSpec) -> dict[ContainerName, str]:
    """The ids of those containers that this one is made for, or made with."""
    names = [
        *([spec.initializes] if spec.initializes else []),
        *(_first_of(home, stack, service) for service in spec.lenders),
    ]
    records = (sound(load_record, home.container(name)) for name in names)
    return {record.container.name: record.container.id for record in records if record is not None}


def check_joins(home: StackHome, name: str, joins: Joins) -> None:
    """Raises TemporaryError if a container whose namespace this one shares does not run."""
    for kind, target in joins:
        _running_pid(home, name, kind, target)


def with_joins(config: Mapping[str, Any], home: StackHome, name: str, joins: Joins) -> dict[str, Any]:
    """A configuration (config.json) that joins the namespaces where they are now. Raises TemporaryError."""
    places = {kind: f"/proc/{_running_pid(home, name, kind, target)}/ns/{kind}" for kind, target in joins}
    others = [entry for entry in config["linux"]["namespaces"] if entry["type"] not in places]
    joined = [{"type": kind, "path": path} for kind, path in places.items()]
    return {**config, "linux": {**config["linux"], "namespaces": [*others, *joined]}}


def _running_pid(home: StackHome, name: str, kind: str, target: str) -> int:
    other = observe_container(home.container(target))
    if other is None or not isinstance(other.status, Running):
        raise TemporaryError(f"container {target}, whose {kind} namespace {name} shares, is not running")
    return other.status.pid


def _first_of(home: StackHome, stack: str, service: str) -> ContainerName:
    """The first container of a service, whatever its name."""
    for name in container_names(home):
        record = sound(load_record, home.container(name))
        if record is not None and (record.container.service, record.container.index) == (service, 1):
            return record.container.name
    return container_name(stack, service, 1)
