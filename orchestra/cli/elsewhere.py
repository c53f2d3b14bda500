"""What commands do with ``--driver``: the same, of a stack in a cluster."""

from __future__ import annotations

import json
import sys
import time

from orchestra.cli.cluster_rules import read_where
from orchestra.cli.render.ages import describe_span
from orchestra.cli.render.columns import output_width, render_columns
from orchestra.stacks.cluster.events import follow_events
from orchestra.stacks.cluster.logs import LogOptions, log
from orchestra.stacks.cluster.look import pods, removable, remove
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.cluster.event import ClusterEvent
    from orchestra.stacks.events import Span
    from orchestra.stacks.logs import Selection

HEADER = ("NAME", "SERVICE", "STATUS", "READY", "RESTARTS", "STARTED", "NODE")


def show_pods(invocation: Invocation) -> int:
    """``ps``."""
    found = pods(invocation.context, read_where(invocation), tuple(invocation.values["services"]))
    if invocation.values["quiet"]:
        print(*(pod.name for pod in found), sep="\n")
        return 0
    rows = [
        (
            pod.name,
            pod.service,
            pod.status,
            f"{pod.ready}/{pod.containers}",
            str(pod.restarts),
            _age(pod.started_at),
            pod.node,
        )
        for pod in found
    ]
    sys.stdout.write(render_columns(HEADER, rows, width=output_width(), expendable=("NODE", "STARTED")))
    return 0


def take_down(invocation: Invocation) -> int:
    """``down``."""
    count = remove(invocation.context, read_where(invocation), tell, volumes=invocation.values["volumes"])
    print(f"{count} objects removed", file=sys.stderr)
    return 0


def preview_down(invocation: Invocation) -> int:
    for name in removable(invocation.context, read_where(invocation), volumes=invocation.values["volumes"]):
        print(f"{name} removed")
    return 0


def show_logs(invocation: Invocation, chosen: Selection) -> int:
    """``logs``."""
    values = invocation.values
    options = LogOptions(tuple(chosen.services), values["follow"], chosen.tail, chosen.since.decode())

    def show(pod: str, moment: bytes, text: bytes) -> None:
        prefix = b"" if values["no_log_prefix"] else f"{pod} | ".encode()
        at = moment + b" " if values["timestamps"] else b""
        sys.stdout.buffer.write(prefix + at + text + b"\n")
        sys.stdout.buffer.flush()

    log(invocation.context, read_where(invocation), options, show)
    return 0


def show_events(invocation: Invocation, span: Span) -> int:
    """``events``."""

    def show(event: ClusterEvent) -> None:
        whole, parts = time.gmtime(event.at), int(event.at % 1 * 1e6)
        if invocation.values["json"]:
            moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', whole)}.{parts:06d}Z"
            row = {"time": moment, "type": event.kind, "service": event.service, "id": event.name}
            told = {"name": event.name, "message": event.message}
            print(json.dumps({**row, "action": event.action, "attributes": told}, separators=(",", ":")), flush=True)
            return
        moment = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(event.at))}.{parts:06d}"
        detail = f" ({event.message})" if event.message else ""
        print(visible(f"{moment} {event.kind} {event.action} {event.name}{detail}"), flush=True)

    follow_events(invocation.context, read_where(invocation), invocation.values["services"], span, show)
    return 0


def tell(subject: str, text: str) -> None:
    print(f"{visible(subject)} {visible(text)}", file=sys.stderr, flush=True)


def _age(started_at: str) -> str:
    if not started_at:
        return ""
    from datetime import datetime

    return f"{describe_span(time.time() - datetime.fromisoformat(started_at).timestamp())} ago"
