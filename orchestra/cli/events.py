"""``orchestra events``: what happens, as it happens, until interrupted."""

from __future__ import annotations

import json
import time

from orchestra.cli.asking import client_of, request
from orchestra.cli.looking import check_known, find_stack
from orchestra.errors import UserError
from orchestra.model.resource import Kind, ResourceId
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    stack, declared = find_stack(invocation)
    services = invocation.values["services"]
    if declared is not None:
        check_known(services, declared, ())

    def show(event: dict[str, Any]) -> None:
        if event["kind"] == "PullEvent":
            return
        if not services or event.get("service") in services:
            print(json.dumps(event) if invocation.values["json"] else render_event(event), flush=True)

    if client_of(invocation, stack).ask_if_running(request("events"), show) is None:
        raise UserError(f"stack {stack} is not up", hint="orchestra up -d starts it")
    return 0


def render_event(event: dict[str, Any]) -> str:
    """One line: time, kind of resource, what happened, its name, and details in brackets."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event["at"])) + f".{int(event['at'] % 1 * 1e6):06d}"
    match event["kind"]:
        case "ActionEvent":
            kind, name = ResourceId.parse(event["resource"])
            what = f"{event['verb']} {event['phase']}"
            detail = event.get("error") or event.get("reason", "")
        case "ContainerEvent":
            kind, name, what = Kind.CONTAINER, event["container"], event["change"]
            code = event.get("exit_code")
            detail = "" if code is None else f"exit code {code}"
            detail += ", out of memory" if event.get("oom_killed") else ""
        case "HealthEvent":
            kind, name, what = Kind.CONTAINER, event["container"], event["health"].get("status", "none")
            detail = event["health"].get("output", "").strip()
            code = event["health"].get("exit_code")
            if code and event["health"].get("status") == "unhealthy":
                detail = f"exit code {code}: {detail}".removesuffix(": ")
        case "BlockedEvent":
            return "\n".join([f"{moment} blocked", *(visible(f"  {name}: {why}") for name, why in event["blocked"])])
        case _:
            return "\n".join(
                [f"{moment} converged", *(visible(f"  failed: {text}") for text in event.get("failed", ()))]
            )
    return visible(f"{moment} {kind} {what} {name}" + (f" ({detail})" if detail else ""))
