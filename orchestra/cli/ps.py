"""``orchestra ps``: the stack's containers, in Docker Compose's columns."""

from __future__ import annotations

import sys
import time
from functools import partial

from orchestra.cli.render.ages import describe_moment, describe_span
from orchestra.cli.render.columns import output_width, render_columns
from orchestra.cli.render.sizes import describe_size
from orchestra.cli.render.template import check_format, is_table, render_rows
from orchestra.cli.template.values import Lazy, Method
from orchestra.cli.warnings import tell_what_there_is, warn_of_edit, warn_of_paused_updates
from orchestra.model.health import HealthStatus
from orchestra.model.names import short_id
from orchestra.stacks.details import Details
from orchestra.stacks.ps import PsOptions, ps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.containers import ContainerRow

HEADER = ("NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS")
HEADINGS = {"ID": "CONTAINER ID", "RunningFor": "CREATED"}
EXPENDABLE = ("COMMAND", "CREATED", "IMAGE", "SERVICE")
COMMAND_WIDTH = 20
ERROR_WIDTH = 60
MOUNT_WIDTH = 15


def run(invocation: Invocation) -> int:
    if invocation.values["driver"]:
        from orchestra.cli.elsewhere import show_pods

        return show_pods(invocation)
    context, values = invocation.context, invocation.values
    check_format(values["format"])
    if values["at"] is not None:
        from orchestra.cli.ps_at import show

        return show(invocation)
    result = ps(context, invocation.options(PsOptions), partial(tell_what_there_is, invocation, context))
    if values["quiet"] or values["only_services"] or is_table(values["format"]):
        text = render(result.containers, values, time.time(), output_width())
    else:
        details, now = Details(context, result.stack), time.time()
        rows = [_data(row, result.stack, details, now, full=values["no_trunc"]) for row in result.containers]
        text = render_rows(values["format"], HEADINGS, rows)
    sys.stdout.write(text)
    warn_of_edit(result.refused)
    warn_of_paused_updates(result.paused)
    if result.enabled and sys.stdout.isatty() and sys.stderr.isatty():  # of no use to scripts
        sys.stdout.flush()
        print("note: the stack comes back at boot; orchestra disable ends that", file=sys.stderr)
    return 0


def render(containers: Sequence[ContainerRow], values: dict[str, Any], now: float, width: int | None = None) -> str:
    """Not for templates. values: ``quiet``, ``only_services`` and ``no_trunc`` of the command line. width: columns
    of the terminal.
    """
    if values["quiet"]:
        return "".join(f"{container.id}\n" for container in containers)
    if values["only_services"]:
        return "".join(f"{service}\n" for service in sorted({container.service for container in containers}))
    full = values["no_trunc"]
    rows = [_row(container, now, full=full) for container in containers]
    return render_columns(HEADER, rows, width=None if full else width, expendable=EXPENDABLE)


def _row(container: ContainerRow, now: float, *, full: bool) -> tuple[str, ...]:
    created = f"{describe_span(now - container.created_at)} ago"
    ports = ", ".join(_ports(container))
    status = _status(container, now)
    if container.health.status is HealthStatus.UNHEALTHY and (reason := container.health.failure):
        status = f"{status.removesuffix(')')}: {_shortened(reason, ERROR_WIDTH, full=full)})"
    if container.error:
        status += f" ({_shortened(container.error, ERROR_WIDTH, full=full)})"
    return container.name, container.image, _command(container, full=full), container.service, created, status, ports


def _command(container: ContainerRow, *, full: bool) -> str:
    """As Docker shows it: arguments with spaces are quoted, but no quotes that they hold."""
    program, arguments = container.command[:1], container.command[1:]
    words = (*program, *(f"'{word}'" if " " in word else word for word in arguments))
    return f'"{_shortened(" ".join(words), COMMAND_WIDTH, full=full)}"'


def _shortened(text: str, width: int, *, full: bool) -> str:
    return text if full or len(text) <= width else f"{text[: width - 1]}…"


def _health(container: ContainerRow) -> str:
    """``starting``, ``healthy``, ``unhealthy``, or empty."""
    return "" if container.health.status is HealthStatus.NONE else str(container.health.status)


def _status(container: ContainerRow, now: float) -> str:
    """``Up 5 seconds (healthy)``, ``Exited (0) 2 minutes ago``, ``Restarting (1) 2 seconds ago``, ``Created``."""
    match container.state:
        case "paused":
            return f"Up {describe_span(now - container.started_at)} (Paused)"
        case "running":
            health = _health(container)
            words = {"": "", "starting": " (health: starting)"}.get(health, f" ({health})")
            return f"Up {describe_span(now - container.started_at)}{words}"
        case "restarting" if not container.finished_at:
            return "Restarting"
        case "exited" | "restarting":
            shown = "unknown" if container.exit_code is None else str(container.exit_code)
            shown = f"{shown}, out of memory" if container.oom_killed else shown
            ago = f"{container.state.capitalize()} ({shown}) {describe_span(now - container.finished_at)} ago"
            return f"{ago}{_next_try(container, now)}"
        case _:
            return "Created"


def _next_try(container: ContainerRow, now: float) -> str:
    """Of a crash loop; empty for a container that starts again at once."""
    wait = container.next_run - now
    return f", restart {container.restarts + 1} in {wait:.0f} s" if wait >= 0.5 else ""


def _data(container: ContainerRow, stack: str, details: Details, now: float, *, full: bool) -> dict[str, Any]:
    """Docker Compose's fields, and further ones: Error, HealthExitCode, HealthOutput and OOMKilled."""
    ports = _ports(container)
    return {
        "Command": _command(container, full=full),
        "CreatedAt": describe_moment(container.created_at),
        "Error": container.error,
        "ExitCode": container.exit_code,
        "Health": _health(container),
        "HealthExitCode": container.health.exit_code,
        "HealthOutput": container.health.output,
        "ID": container.id if full else short_id(container.id),
        "Image": container.image,
        "Label": Method(lambda name: details.labels(container).get(name, "")),
        "Labels": Lazy(lambda: ",".join(f"{name}={text}" for name, text in sorted(details.labels(container).items()))),
        "LocalVolumes": str(len(container.volumes)),
        "Mounts": Lazy(
            lambda: ",".join(_shortened(name, MOUNT_WIDTH, full=full) for name in details.mounts(container))
        ),
        "Name": container.name,
        "Names": container.name,
        "Networks": ",".join(container.networks),
        "OOMKilled": container.oom_killed,
        "Ports": ", ".join(ports),
        "Project": stack,
        "Publishers": [_publisher(port) for port in ports],
        "RunningFor": f"{describe_span(now - container.created_at)} ago",
        "Service": container.service,
        "Size": Lazy(lambda: describe_size(details.size(container))),
        "State": container.state,
        "Status": _status(container, now),
    }


def _ports(container: ContainerRow) -> list[str]:
    """Published and exposed ports, as Docker lists them, if the container is running in a network."""
    if not container.runs or not container.networks:
        return []
    targets = {port.partition("->")[2] for port in container.ports}
    return [*container.ports, *(port for port in container.exposed if port not in targets)]


def _publisher(port: str) -> dict[str, Any]:
    """Parse ``HOST_IP:PORT->PORT/PROTOCOL``, or ``PORT/PROTOCOL`` for a port that is only exposed."""
    host, _, inside = port.rpartition("->")
    address, _, published = host.rpartition(":")
    target, _, protocol = inside.partition("/")
    numbers = target.partition("-")[0]  # the first port of a range
    return {"URL": address, "TargetPort": int(numbers), "PublishedPort": int(published or 0), "Protocol": protocol}
