"""Ports that are published elsewhere than the file says, because another program uses theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.result import MovedPort

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestra.model.container import ContainerSpec
    from orchestra.model.observed import Container


def moved_ports(specs: Iterable[ContainerSpec], containers: Mapping[str, Container]) -> tuple[MovedPort, ...]:
    found: list[MovedPort] = []
    for spec in specs:
        seen = containers.get(spec.name)
        rows = _without_second_families(seen.ports) if seen else []
        if len(rows) != len(spec.ports):
            continue
        for port, row in zip(spec.ports, rows, strict=True):
            address = row.partition("->")[0]
            taken = int(address.rpartition(":")[2])
            if port.automatic and taken != port.published:
                found.append(MovedPort(spec.name, f"{port.published}/{port.protocol}", address))
    return tuple(found)


def _without_second_families(rows: Sequence[str]) -> list[str]:
    """A port that is published for IPv4 and IPv6 has a row for each, in this order."""
    second = [row.replace("0.0.0.0", "[::]", 1) for row in rows if row.startswith("0.0.0.0:")]
    return [row for row in rows if row not in second]
