"""``port``: where the ports of a service are published."""

from __future__ import annotations

from orchestra.errors import UserError
from orchestra.record import Record
from orchestra.stacks.containers import Seen, choose_running, find_stack, ignore, look_at_containers, survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.stacks.containers import ContainerRow
    from orchestra.stacks.context import Context

PROTOCOLS = ("sctp", "tcp", "udp")


class PortOptions(Record):
    """private_port: the container's, as typed; None for all. protocol: None for any, or TCP for one port. index: which
    replica; 0 for the lowest running one, or for all replicas if all ports are listed.
    """

    service: str
    private_port: str | None = None
    protocol: str | None = None
    index: int = 0


def port(context: Context, options: PortOptions, tell: Callable[[Seen], None] = ignore) -> list[str]:
    """For one port, the first ``HOST_IP:PORT``. For all ports, ``PORT/PROTOCOL -> HOST_IP:PORT``, sorted by port.

    Raises UserError for a service that does not exist or does not run, and for a port that it does not publish.
    """
    target = None if options.private_port is None else _number(options.private_port)
    protocol = _protocol(options.protocol)
    known = find_stack(context)
    there = look_at_containers(context, known.stack)
    survey(known, there, [options.service], tell)
    running = [container for container in there if container.runs]
    container = choose_running(running, options.service, options.index or None)
    if target is not None:
        return [_published(container, f"{target}/{protocol or 'tcp'}")]
    replicas = [container] if options.index else [each for each in running if each.service == options.service]
    rows = [row for each in sorted(replicas, key=lambda each: each.index) for row in _rows(each)]
    shown = [(inside, host) for host, inside in rows if protocol in (None, inside.partition("/")[2])]
    return [f"{inside} -> {host}" for inside, host in sorted(shown, key=lambda row: _order(row[0]))]


def _published(container: ContainerRow, wanted: str) -> str:
    rows = _rows(container)
    found = next((host for host, inside in rows if inside == wanted), None)
    if found is not None:
        return found
    others = ", ".join(sorted({inside for _, inside in rows}))
    hint = f"published are {others}" if others else "it publishes no ports; the file's ports: does that"
    raise UserError(f"no port {wanted} for container {container.name}", hint=hint)


def _rows(container: ContainerRow) -> list[tuple[str, str]]:
    """Pairs of ``HOST_IP:PORT`` and ``PORT/PROTOCOL``."""
    return [(host, inside) for host, _, inside in (row.rpartition("->") for row in container.ports)]


def _order(inside: str) -> tuple[int, str]:
    number, _, protocol = inside.partition("/")
    return int(number), protocol


def _protocol(asked: str | None) -> str | None:
    if asked is None or asked.lower() in PROTOCOLS:
        return asked and asked.lower()
    from orchestra.nearest import suggest

    raise UserError(f"no such protocol: {asked}", hint=suggest(asked, PROTOCOLS, "protocols"))


def _number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        raise UserError(f"{text!r} is not a port", hint="ports are numbers from 1 to 65535")
    return int(text)


SECURE = (443, 8443)
WEB = (80, 8080, *SECURE, 3000, 5000, 8000)
"""Ports of containers that usually speak HTTP; those that want TLS first are in ``SECURE``."""


def find_web_address(context: Context, stack: str) -> str:
    """The address of the first published port that seems to speak HTTP, else of the first TCP port; empty if none."""
    rows = look_at_containers(context, stack)
    return choose_web_address([row for container in rows if container.runs for row in _rows(container)])


def choose_web_address(rows: Sequence[tuple[str, str]]) -> str:
    """rows: ``HOST_IP:PORT`` and ``PORT/PROTOCOL``."""
    ports = [(host, int(inside.partition("/")[0])) for host, inside in rows if inside.endswith("/tcp")]
    if not ports:
        return ""
    host, inside = next((row for row in ports if row[1] in WEB), ports[0])
    address, _, number = host.rpartition(":")
    name = "localhost" if address in ("", "0.0.0.0", "[::]", "::", "127.0.0.1") else address
    return f"{'https' if inside in SECURE else 'http'}://{name}:{number}"
