"""``orchestra ps``: the stack's containers, in Docker Compose's columns."""

from __future__ import annotations

import json
import sys
import time

from orchestra.cli.looking import check_known, find_stack, observe_containers
from orchestra.cli.render.ages import describe_span
from orchestra.cli.render.columns import render_columns
from orchestra.state.observed import Created, Exited, HealthStatus, Running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.state.observed import Container

HEADER = ("NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS")
COMMAND_WIDTH = 20


def run(invocation: Invocation) -> int:
    values = invocation.values
    stack, declared = find_stack(invocation)
    there = observe_containers(invocation, stack)
    check_known(values["services"], declared, there)
    containers = [
        container
        for container in there
        if (values["all"] or isinstance(container.status, Running))
        and (not values["services"] or container.service in values["services"])
    ]
    sys.stdout.write(render(containers, stack, values, time.time()))
    return 0


def render(containers: list[Container], stack: str, values: dict[str, Any], now: float) -> str:
    """values: ``quiet``, ``only_services``, ``format`` and ``no_trunc`` of the command line."""
    if values["quiet"]:
        return "".join(f"{container.id}\n" for container in containers)
    if values["only_services"]:
        return "".join(f"{service}\n" for service in sorted({container.service for container in containers}))
    if values["format"] == "json":
        return "".join(f"{json.dumps(_data(container, stack, now))}\n" for container in containers)
    return render_columns(HEADER, [_row(container, now, full=values["no_trunc"]) for container in containers])


def _row(container: Container, now: float, *, full: bool) -> tuple[str, ...]:
    command = " ".join(container.command)
    if not full and len(command) > COMMAND_WIDTH:
        command = f"{command[: COMMAND_WIDTH - 1]}…"
    created = f"{describe_span(now - container.created_at)} ago"
    ports = ", ".join(container.ports)
    return container.name, container.image, f'"{command}"', container.service, created, _status(container, now), ports


def _status(container: Container, now: float) -> str:
    """``Up 5 seconds (healthy)``, ``Exited (0) 2 minutes ago``, ``Created``, as Docker says it."""
    match container.status:
        case Running(started_at=started_at, health=health):
            words = {HealthStatus.NONE: "", HealthStatus.STARTING: " (health: starting)"}
            return f"Up {describe_span(now - started_at)}{words.get(health.status, f' ({health.status})')}"
        case Exited(exit_code=code, finished_at=finished_at):
            shown = "unknown" if code is None else code
            return f"Exited ({shown}) {describe_span(now - finished_at)} ago"
        case Created():
            return "Created"


def _data(container: Container, stack: str, now: float) -> dict[str, Any]:
    status = container.status
    health = status.health.status if isinstance(status, Running) else HealthStatus.NONE
    return {
        "Command": " ".join(container.command),
        "CreatedAt": time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(container.created_at)),
        "ExitCode": (status.exit_code if isinstance(status, Exited) else 0),
        "Health": "" if health is HealthStatus.NONE else health.value,
        "ID": container.id,
        "Image": container.image,
        "Name": container.name,
        "Names": container.name,
        "Networks": ",".join(container.networks),
        "Ports": ", ".join(container.ports),
        "Project": stack,
        "Publishers": [_publisher(port) for port in container.ports],
        "RunningFor": f"{describe_span(now - container.created_at)} ago",
        "Service": container.service,
        "State": type(status).__name__.lower(),
        "Status": _status(container, now),
    }


def _publisher(port: str) -> dict[str, Any]:
    """Of ``HOST_IP:PORT->PORT/PROTOCOL``."""
    host, _, inside = port.partition("->")
    address, _, published = host.rpartition(":")
    target, _, protocol = inside.partition("/")
    return {"URL": address, "TargetPort": int(target), "PublishedPort": int(published), "Protocol": protocol}
