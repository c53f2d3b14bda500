"""Whose namespace of a kind a container lives in (namespaces(7)): ``network_mode``, ``pid``, ``ipc`` and ``uts``."""

from __future__ import annotations

from orchestra.model.codec import tagged
from orchestra.model.names import ServiceName
from orchestra.record import Record


@tagged
class Own(Record):
    """In one of its own, as long as nothing else is said."""


@tagged
class Bare(Record):
    """In one of its own that nothing is put into: no networks, no ``/dev/shm``; Compose's ``none``."""


@tagged
class Host(Record):
    """In the host's."""


@tagged
class OfService(Record):
    """In that of the first container of a service of the stack."""

    service: ServiceName


@tagged
class OfContainer(Record):
    """In that of a container, by its name or id."""

    container: str


Sharing = Own | Bare | Host | OfService | OfContainer
"""``network_mode`` may be any of them, ``ipc`` too, ``pid`` any but Bare, ``uts`` Own or Host."""
