"""Docker Compose's words for what happens, from events as they come over the control socket. Standard library only."""

from __future__ import annotations

from typing import NamedTuple

from orchestra.model.resource import Kind, ResourceId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_VERBS = {
    "check": ("Checking", "Checked"),
    "pull": ("Pulling", "Pulled"),
    "push": ("Pushing", "Pushed"),
    "create": ("Creating", "Created"),
    "start": ("Starting", "Started"),
    "stop": ("Stopping", "Stopped"),
    "remove": ("Removing", "Removed"),
}


class Step(NamedTuple):
    """One change of one resource. subject: as shown, ``Container stack-web-1``; state: working, done or error.

    detail: what went wrong; note: what is added to the text, such as what is awaited.
    """

    resource: ResourceId
    subject: str
    text: str
    state: str
    detail: str = ""
    note: str = ""


def describe(event: dict[str, Any]) -> Step | None:
    """What to show of an encoded event; None for nothing."""
    match event["kind"]:
        case "ActionEvent":
            if event["verb"] == "check" and event["phase"] != "failed":
                return None
            working, done = _VERBS[event["verb"]]
            resource = ResourceId.parse(event["resource"])
            match event["phase"]:
                case "started":
                    return Step(resource, subject_of(resource), working, "working")
                case "done":
                    return Step(resource, subject_of(resource), done, "done")
                case "cancelled":
                    return None
                case _ if event.get("in_use"):
                    return Step(resource, subject_of(resource), "Resource is still in use", "done")
                case _:
                    return Step(resource, subject_of(resource), "Error", "error", event.get("error", ""))
        case "HealthEvent":
            resource = ResourceId.container(event["container"])
            match event["health"].get("status", "none"):
                case "healthy":
                    return Step(resource, subject_of(resource), "Healthy", "done")
                case "unhealthy":
                    from orchestra.plan.output import describe_failed_probe

                    reason = describe_failed_probe(event["health"].get("output", ""), event["health"].get("exit_code"))
                    return Step(resource, subject_of(resource), "Unhealthy", "error", reason, reason)
                case "starting":
                    return await_step(resource, "to be healthy")
        case "ContainerEvent" if event["change"] == "exited":
            resource = ResourceId.container(event["container"])
            code = event.get("exit_code")
            if code == 0:
                return Step(resource, subject_of(resource), "Exited", "done")
            return Step(resource, subject_of(resource), describe_exit(code, event.get("oom_killed", False)), "error")
    return None


def await_step(resource: ResourceId, what: str) -> Step:
    """Nothing is done, but something is awaited of it."""
    return Step(resource, subject_of(resource), "Waiting", "working", note=what)


def describe_exit(code: int | None, oom_killed: bool) -> str:
    """``Exited (137, out of memory)``"""
    return f"Exited ({'unknown' if code is None else code}{', out of memory' if oom_killed else ''})"


def subject_of(resource: ResourceId) -> str:
    """``Container stack-web-1``; volumes are quoted, as Docker Compose does."""
    kind, name = resource
    return f'Volume "{name}"' if kind is Kind.VOLUME else f"{kind.capitalize()} {name}"
