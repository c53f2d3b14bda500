"""Docker Compose's words for what happens, from events as they come over the control socket. Standard library only."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_VERBS = {
    "pull": ("Pulling", "Pulled"),
    "push": ("Pushing", "Pushed"),
    "create": ("Creating", "Created"),
    "start": ("Starting", "Started"),
    "stop": ("Stopping", "Stopped"),
    "remove": ("Removing", "Removed"),
}


NO_LONGER_WANTED = "no longer wanted"
"""What the engine says of an action that it gave up for another: no error of anybody's."""


class Step(NamedTuple):
    """One change of one resource. subject: as shown, ``Container stack-web-1``; state: working, done or error."""

    resource: str
    subject: str
    text: str
    state: str
    detail: str = ""


def describe(event: dict[str, Any]) -> Step | None:
    """What to show of an encoded event; None for nothing."""
    match event["kind"]:
        case "ActionEvent":
            working, done = _VERBS[event["verb"]]
            resource = event["resource"]
            match event["phase"]:
                case "started":
                    return Step(resource, subject_of(resource), working, "working")
                case "done":
                    return Step(resource, subject_of(resource), done, "done")
                case _ if event.get("error") == NO_LONGER_WANTED:
                    return None
                case _:
                    return Step(resource, subject_of(resource), "Error", "error", event.get("error", ""))
        case "HealthEvent":
            status = event["health"].get("status", "none")
            if status in ("healthy", "unhealthy"):
                resource = f"container/{event['container']}"
                state = "done" if status == "healthy" else "error"
                return Step(resource, subject_of(resource), status.capitalize(), state)
    return None


def subject_of(resource: str) -> str:
    """``container/stack-web-1`` as ``Container stack-web-1``; volumes are quoted, as Docker Compose does."""
    kind, _, name = resource.partition("/")
    return f'Volume "{name}"' if kind == "volume" else f"{kind.capitalize()} {name}"
