"""``orchestra ps``: the stack's containers, in Docker Compose's columns."""

from __future__ import annotations

import json
import sys
import time

from orchestra.cli.looking import check_known, find_stack, look_at_containers
from orchestra.cli.render.ages import describe_span
from orchestra.cli.render.columns import output_width, render_columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orchestra.cli.invocation import Invocation

    Encoded = dict[str, Any]

HEADER = ("NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS")
EXPENDABLE = ("COMMAND", "CREATED", "IMAGE", "SERVICE")
COMMAND_WIDTH = 20
ERROR_WIDTH = 60


def run(invocation: Invocation) -> int:
    values = invocation.values
    stack, declared = find_stack(invocation)
    there = look_at_containers(invocation, stack)
    if not there:
        from orchestra.cli.elsewhere import tell_of_root

        tell_of_root(invocation)
    check_known(values["services"], declared, (container["service"] for container in there))
    _mark_restarting(invocation, stack, there)
    containers = [
        container
        for container in there
        if (values["all"] or _state(container["status"]) in ("running", "restarting"))
        and (not values["services"] or container["service"] in values["services"])
    ]
    sys.stdout.write(render(containers, stack, values, time.time(), output_width()))
    return 0


def _mark_restarting(invocation: Invocation, stack: str, containers: Sequence[Encoded]) -> None:
    """Those that have ended and that their restart policy starts again get ``restarting`` in their status."""
    if invocation.driver != "local":
        return
    for container in containers:
        if container["status"]["kind"] == "Exited" and not container["status"]["stopped"]:
            from orchestra.driver.local.restarting import is_restarting
            from orchestra.model.codec import decode
            from orchestra.model.observed import Container

            home = invocation.home.stack(stack)
            container["status"]["restarting"] = is_restarting(home, decode(Container, container))


def _state(status: Encoded) -> str:
    """``created``, ``running``, ``restarting`` or ``exited``."""
    return "restarting" if status.get("restarting") else str(status["kind"]).lower()


def render(
    containers: Sequence[Encoded], stack: str, values: dict[str, Any], now: float, width: int | None = None
) -> str:
    """containers: encoded as ``look_at_containers`` gives them. values: ``quiet``, ``only_services``, ``format`` and
    ``no_trunc`` of the command line. width: columns of the terminal.
    """
    if values["quiet"]:
        return "".join(f"{container['id']}\n" for container in containers)
    if values["only_services"]:
        return "".join(f"{service}\n" for service in sorted({container["service"] for container in containers}))
    if values["format"] == "json":
        return "".join(f"{json.dumps(_data(container, stack, now))}\n" for container in containers)
    full = values["no_trunc"]
    rows = [_row(container, now, full=full) for container in containers]
    return render_columns(HEADER, rows, width=None if full else width, expendable=EXPENDABLE)


def _row(container: Encoded, now: float, *, full: bool) -> tuple[str, ...]:
    command = _shortened(" ".join(container.get("command", ())), COMMAND_WIDTH, full=full)
    created = f"{describe_span(now - container['created_at'])} ago"
    ports = ", ".join(_ports(container))
    status = _status(container["status"], now)
    if reason := _reason(container["status"]):
        status = f"{status.removesuffix(')')}: {_shortened(reason, ERROR_WIDTH, full=full)})"
    if error := container.get("error"):
        status += f" ({_shortened(error, ERROR_WIDTH, full=full)})"
    return container["name"], container["image"], f'"{command}"', container["service"], created, status, ports


def _shortened(text: str, width: int, *, full: bool) -> str:
    return text if full or len(text) <= width else f"{text[: width - 1]}…"


def _health(status: Encoded) -> str:
    """``starting``, ``healthy``, ``unhealthy``, or empty."""
    health: str = status.get("health", {}).get("status", "none")
    return "" if health == "none" else health


def _reason(status: Encoded) -> str:
    """What the last probe of an unhealthy container said."""
    if _health(status) != "unhealthy":
        return ""
    from orchestra.plan.output import describe_failed_probe

    return describe_failed_probe(status["health"].get("output", ""), status["health"].get("exit_code"))


def _status(status: Encoded, now: float) -> str:
    """``Up 5 seconds (healthy)``, ``Exited (0) 2 minutes ago``, ``Restarting (1) 2 seconds ago``, ``Created``."""
    match status["kind"]:
        case "Running":
            health = _health(status)
            words = {"": "", "starting": " (health: starting)"}.get(health, f" ({health})")
            return f"Up {describe_span(now - status['started_at'])}{words}"
        case "Exited":
            shown = "unknown" if status["exit_code"] is None else status["exit_code"]
            word = "Restarting" if status.get("restarting") else "Exited"
            shown = f"{shown}, out of memory" if status.get("oom_killed") else shown
            return f"{word} ({shown}) {describe_span(now - status['finished_at'])} ago"
        case _:
            return "Created"


def _data(container: Encoded, stack: str, now: float) -> dict[str, Any]:
    status = container["status"]
    ports = _ports(container)
    return {
        "Command": " ".join(container.get("command", ())),
        "CreatedAt": time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(container["created_at"])),
        "Error": container.get("error", ""),
        "ExitCode": status.get("exit_code", 0),
        "Health": _health(status),
        "HealthExitCode": status.get("health", {}).get("exit_code"),
        "HealthOutput": status.get("health", {}).get("output", ""),
        "ID": container["id"],
        "Image": container["image"],
        "Name": container["name"],
        "Names": container["name"],
        "Networks": ",".join(container.get("networks", ())),
        "OOMKilled": bool(status.get("oom_killed")),
        "Ports": ", ".join(ports),
        "Project": stack,
        "Publishers": [_publisher(port) for port in ports],
        "RunningFor": f"{describe_span(now - container['created_at'])} ago",
        "Service": container["service"],
        "State": _state(status),
        "Status": _status(status, now),
    }


def _ports(container: Encoded) -> list[str]:
    """Published ports, and those that are only exposed, as Docker lists them: of what runs in a network."""
    if container["status"]["kind"] != "Running" or not container.get("networks"):
        return []
    published = container.get("ports", ())
    targets = {port.partition("->")[2] for port in published}
    return [*published, *(port for port in container.get("exposed", ()) if port not in targets)]


def _publisher(port: str) -> dict[str, Any]:
    """Of ``HOST_IP:PORT->PORT/PROTOCOL``, or of ``PORT/PROTOCOL`` for one that is only exposed."""
    host, _, inside = port.rpartition("->")
    address, _, published = host.rpartition(":")
    target, _, protocol = inside.partition("/")
    numbers = target.partition("-")[0]  # of a range the first
    return {"URL": address, "TargetPort": int(numbers), "PublishedPort": int(published or 0), "Protocol": protocol}
