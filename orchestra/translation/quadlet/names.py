"""What units and containers are called: as the containers of a stack are here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping


class Names(Record):
    """numbers: how many containers each service has. titles: names that services give to their only container.

    declared: networks and volumes by their kind and key. external: the names of those among them that exist without the
    stack. secrets: what configs and secrets are called in Podman, by their kind and key.
    """

    stack: str
    numbers: Mapping[str, int]
    titles: Mapping[str, str]
    declared: frozenset[tuple[str, str]]
    external: Mapping[tuple[str, str], str]
    secrets: Mapping[tuple[str, str], str]

    def unit(self, service: str, index: int) -> str:
        """Without an ending."""
        return f"{self.stack}-{service}-{index}"

    def units(self, service: str) -> list[str]:
        return [self.unit(service, index + 1) for index in range(self.numbers[service])]

    def container(self, service: str, index: int) -> str:
        return self.titles.get(service) or self.unit(service, index)

    def network(self, key: str) -> str:
        return self.external.get(("networks", key)) or f"{self.stack}-{key}.network"

    def volume(self, key: str) -> str:
        return self.external.get(("volumes", key)) or f"{self.stack}-{key}.volume"
