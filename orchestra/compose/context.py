"""What the passes from ``Stack`` to ``Desired`` have in common."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from orchestra.compose.cdi import KnownDevices, device_edits
from orchestra.compose.nodes import Map, Path, locate
from orchestra.model.location import Location
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.compose.discovery import Project
    from orchestra.compose.problems import Problems
    from orchestra.compose.reader import Reader
    from orchestra.compose.schema.service import Service
    from orchestra.compose.schema.stack import Stack
    from orchestra.errors import Span
    from orchestra.model.device_edits import DeviceEdits


class Context(Record):
    """stack is complete (``compose.complete``); document is the tree it came from, for places.

    left_out: what ``--no-deps`` leaves out, see ``compose.select``: others may depend on these services, but only their
    place in the order is used. Those of them in ``stack`` only lend their mounts.
    static_addresses: for each network, by its key in the file, the addresses that any service asks for.
    unsupported, automatic_ports: as in the request, or the file.
    """

    stack: Stack
    document: Map
    project: Project
    reader: Reader
    problems: Problems
    left_out: Mapping[str, Service] = {}
    static_addresses: Mapping[str, tuple[str, ...]] = {}
    unsupported: Mapping[str, str] = {}
    automatic_ports: bool = False

    @property
    def related(self) -> Mapping[str, Service]:
        """The services of the stack and everything that they depend on."""
        return {**self.left_out, **self.stack.services}

    def span(self, path: Path, *, key: bool = False) -> Span:
        return locate(self.document, path, key=key)

    def location(self, path: Path, *, key: bool = False) -> Location:
        span = self.span(path, key=key)
        return Location(span.path, span.line, span.column)

    def device_edits(self, service: Service) -> tuple[DeviceEdits, tuple[str, ...]]:
        """What the CDI devices of a service add to its containers, and why some cannot be added."""
        return device_edits(service, lambda: self._devices)

    @cached_property
    def _devices(self) -> KnownDevices:
        return KnownDevices(self.reader)

    @cached_property
    def links(self) -> dict[str, list[tuple[str, frozenset[str]]]]:
        """By linked service: each alias, with the networks of the service that links."""
        found: dict[str, list[tuple[str, frozenset[str]]]] = {}
        for service in self.stack.services.values():
            for link in service.links:
                name, _, alias = link.partition(":")
                if alias:
                    found.setdefault(name, []).append((alias, frozenset(service.networks or ("default",))))
        return found
