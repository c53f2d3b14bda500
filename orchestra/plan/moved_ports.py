"""Ports that are published elsewhere than the file says, because another program uses theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.result import MovedPort

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.model.desired import ContainerSpec
    from orchestra.model.observed import Container


def moved_ports(specs: Iterable[ContainerSpec], containers: Mapping[str, Container]) -> tuple[MovedPort, ...]:
    found: list[MovedPort] = []
    for spec in specs:
        seen = containers.get(spec.name)
        if seen is None or len(seen.ports) != len(spec.ports):
            continue
        for port, row in zip(spec.ports, seen.ports, strict=True):
            address = row.partition("->")[0]
            taken = int(address.rpartition(":")[2])
            if port.automatic and taken != port.published:
                found.append(MovedPort(spec.name, f"{port.published}/{port.protocol}", address))
    return tuple(found)
