"""Ports of EXPOSE: ``80``, ``80/udp``, ``8000-8010``, and ``8080:80``, whose first part means nothing."""

from __future__ import annotations

from orchestra.build.problem import Wrong
from orchestra.units import parse_port_range

_PROTOCOLS = ("tcp", "udp", "sctp")


def parse_exposed(text: str) -> tuple[str, ...]:
    """The ports as ``80/tcp``. Raises Wrong."""
    *before, inside = text.split(":")
    port, _, protocol = inside.partition("/")
    protocol = protocol.lower() or "tcp"
    if not port:
        raise Wrong(f"no port specified: {text}<empty>", "write EXPOSE PORT[/PROTOCOL]")
    if protocol not in _PROTOCOLS:
        raise Wrong(f"invalid proto: {protocol}", f"protocols are {', '.join(_PROTOCOLS)}")
    try:
        ports = parse_port_range(port)
        outside = parse_port_range(before[-1]) if before and before[-1] else ports
    except ValueError as error:
        raise Wrong(f"invalid port {text}: {error}", "write EXPOSE PORT[/PROTOCOL]") from None
    if len(ports) not in (1, len(outside)):
        raise Wrong(f"invalid ranges specified for container and host Ports: {port} and {before[-1]}")
    return tuple(f"{number}/{protocol}" for number in range(ports.first, ports.last + 1))
