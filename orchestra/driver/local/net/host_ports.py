"""Published ports of a home without root: held in the host's network, and led to containers by the home's keeper."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import lease_file
from orchestra.driver.local.net.ports import ANY, ANY_IPV6, TYPES, HostPort
from orchestra.driver.local.net.projection import publications_of
from orchestra.errors import TemporaryError
from orchestra.rootless import publishing
from orchestra.rootless.entry import revive

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from orchestra.home import Home
    from orchestra.model.container import Port


def lead_ports(home: Home, stack: str, sockets: Mapping[HostPort, socket.socket]) -> None:
    """Have every port that the stack publishes lead to its containers, and no others. Raises DriverError.

    sockets: what holds each of the ports.
    """
    found: dict[HostPort, list[tuple[str, int]]] = {}
    attached = attachments.load_all(home.stack(stack))
    for family in publications_of(attached, lease_file.load(home)):
        for each in family:
            anywhere = ANY_IPV6 if ":" in each.address else ANY
            key = (each.protocol, each.host_ip or anywhere, each.host_port)
            found.setdefault(key, []).append((each.address, each.port))
    ports = [(sockets[key], targets) for key, targets in found.items() if key in sockets]
    try:
        try:
            publishing.publish(home, stack, ports)
        except (ConnectionError, FileNotFoundError):  # the keeper was killed
            os.close(revive(home))
            publishing.publish(home, stack, ports)
    except OSError as error:
        message = f"the ports of stack {stack} lead nowhere: {error}"
        raise TemporaryError(message, hint="any orchestra command starts what leads them again") from error


def regain(home: Home, stack: str, port: Port) -> socket.socket | None:
    """The socket by which the port was published for the stack before; None if it was not."""
    wanted = TYPES.get(port.protocol), (port.host_ip or ANY, port.published)
    found = None
    try:
        held = publishing.held(home, stack)
    except OSError:
        return None
    for each in held:
        if found is None and (each.type, each.getsockname()[:2]) == wanted:
            found = each
        else:
            each.close()
    return found
