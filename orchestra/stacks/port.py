"""``port``: where a port of a service is published."""

from __future__ import annotations

from orchestra.errors import UserError
from orchestra.record import Record
from orchestra.stacks.containers import Seen, choose_running, find_stack, ignore, look_at_containers, survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.stacks.context import Context

PROTOCOLS = ("sctp", "tcp", "udp")


class PortOptions(Record):
    """private_port: as typed, of the container. index: which replica; 0 for the lowest that runs."""

    service: str
    private_port: str
    protocol: str = "tcp"
    index: int = 0


def port(context: Context, options: PortOptions, tell: Callable[[Seen], None] = ignore) -> str:
    """``HOST_IP:PORT``, the first of several.

    Raises UserError for a service that does not exist or does not run, and for a port that it does not publish.
    """
    target, protocol = _number(options.private_port), options.protocol.lower()
    if protocol not in PROTOCOLS:
        from orchestra.nearest import suggest

        raise UserError(f"no such protocol: {options.protocol}", hint=suggest(protocol, PROTOCOLS, "protocols"))
    known = find_stack(context)
    there = look_at_containers(context, known.stack)
    survey(known, there, [options.service], tell)
    running = (container for container in there if container.runs)
    container = choose_running(running, options.service, options.index or None)
    wanted = f"{target}/{protocol}"
    published = [row.rpartition("->") for row in container.ports]
    found = next((host for host, _, inside in published if inside == wanted), None)
    if found is not None:
        return found
    others = ", ".join(sorted({inside for _, _, inside in published}))
    hint = f"published are {others}" if others else "it publishes no ports; the file's ports: does that"
    raise UserError(f"no port {wanted} for container {container.name}", hint=hint)


def _number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        raise UserError(f"{text!r} is not a port", hint="ports are numbers from 1 to 65535")
    return int(text)
