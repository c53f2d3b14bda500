"""``orchestra ps --at``: the containers that there were at another time."""

from __future__ import annotations

import sys
import time

from orchestra.cli.moments import parse_seconds
from orchestra.cli.render.ages import describe_moment, describe_span
from orchestra.cli.render.columns import output_width
from orchestra.cli.render.template import render_rows
from orchestra.errors import UserError
from orchestra.model.health import HealthStatus
from orchestra.stacks.past import ps_at
from orchestra.stacks.ps import PsOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.past import PastContainer

HEADER = {"Name": "NAME", "Image": "IMAGE", "Service": "SERVICE", "Status": "STATUS"}


def show(invocation: Invocation) -> int:
    """Raises UserError for a time before the first event, and for options that need the present."""
    values = invocation.values
    for name, flag in (("quiet", "--quiet"), ("only_services", "--services")):
        if values[name]:
            raise UserError(f"--at and {flag} cannot be combined", hint="use --format '{{.Name}}'")
    moment = parse_seconds("--at", values["at"], time.time())
    found = ps_at(invocation.context, invocation.options(PsOptions), moment)
    reach = f"the events that are kept begin at {describe_moment(found.known_since)}"
    if moment < found.known_since:
        raise UserError(f"nothing is known of {describe_moment(moment)}: {reach}")
    rows = [
        {
            "Name": each.name,
            "Image": found.images.get(each.name, ""),
            "Service": each.service,
            "Status": _status(each, moment),
            "State": each.state,
            "ExitCode": each.exit_code,
            "Health": "" if each.health is HealthStatus.NONE else str(each.health),
            "Since": describe_moment(each.since) if each.since else "",
        }
        for each in found.containers
    ]
    sys.stdout.write(render_rows(values["format"], HEADER, rows, width=output_width(), expendable=["Image"]))
    revision = f"revision {found.revision.number}" if found.revision else "a revision that is not kept any more"
    print(f"note: this is {describe_moment(moment)}, of {revision}; {reach}", file=sys.stderr)
    return 0


def _status(container: PastContainer, moment: float) -> str:
    """As ``ps`` has it; without the time if it is not known."""
    span = f" {describe_span(moment - container.since)}" if container.since else ""
    match container.state:
        case "running":
            health = "" if container.health is HealthStatus.NONE else f" ({container.health})"
            return f"Up{span}{health}"
        case "exited":
            code = "unknown" if container.exit_code is None else container.exit_code
            memory = ", out of memory" if container.oom_killed else ""
            return f"Exited ({code}{memory}){span + ' ago' if span else ''}"
        case _:
            return "Created"
