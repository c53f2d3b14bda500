"""Whose namespace of a kind a container uses: ``network_mode``, ``pid``, ``ipc``, ``uts``, ``cgroup``."""

from __future__ import annotations

from orchestra.model.codec import tagged
from orchestra.model.names import ServiceName
from orchestra.record import Record


@tagged
class Own(Record):
    """One of its own. This is the default."""


@tagged
class Bare(Record):
    """An empty one of its own: no networks, no ``/dev/shm``; Compose's ``none``."""


@tagged
class Host(Record):
    """The host's."""


@tagged
class OfService(Record):
    """That of the first container of a service of the stack."""

    service: ServiceName


@tagged
class OfContainer(Record):
    """That of a container, by its name or id."""

    container: str


Sharing = Own | Bare | Host | OfService | OfContainer
"""``network_mode`` may be any of them, ``ipc`` too, ``pid`` any but Bare, ``uts`` and ``cgroup`` Own or Host."""
