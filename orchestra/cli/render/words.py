"""Docker Compose's words for events. Standard library only."""

from __future__ import annotations

from orchestra.model.event import ActionEvent, ContainerEvent, HealthEvent, Phase
from orchestra.model.health import HealthStatus
from orchestra.model.resource import ResourceId
from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.model.event import Event

_VERBS = {
    "check": ("Checking", "Checked"),
    "pull": ("Pulling", "Pulled"),
    "push": ("Pushing", "Pushed"),
    "copy": ("Copying", "Copied"),
    "create": ("Creating", "Created"),
    "connect": ("Connecting", "Connected"),
    "disconnect": ("Disconnecting", "Disconnected"),
    "start": ("Starting", "Started"),
    "hook": ("Running post_start", "Ran post_start"),
    "drain": ("Draining", "Drained"),
    "stop": ("Stopping", "Stopped"),
    "remove": ("Removing", "Removed"),
}


class Step(Record):
    """One change of one resource. subject: as shown, ``Container stack-web-1``; state: working, done or error.

    detail: what went wrong; note: an addition to the text, such as what is awaited.
    """

    resource: ResourceId
    subject: str
    text: str
    state: str
    detail: str = ""
    note: str = ""


def describe(event: Event) -> Step | None:
    """The step to show for an event; None for nothing."""
    match event:
        case ActionEvent(verb="check") if event.phase is not Phase.FAILED:
            return None
        case ActionEvent(resource=resource):
            working, done = _VERBS[event.verb]
            match event.phase:
                case Phase.STARTED:
                    return Step(resource, subject_of(resource), working, "working")
                case Phase.DONE:
                    return Step(resource, subject_of(resource), done, "done")
                case Phase.CANCELLED:
                    return None
                case Phase.FAILED if event.in_use:
                    return Step(resource, subject_of(resource), "Resource is still in use", "done")
                case Phase.FAILED:
                    return Step(resource, subject_of(resource), "Error", "error", event.error)
        case HealthEvent(health=health):
            resource = ResourceId.container(event.container)
            match health.status:
                case HealthStatus.HEALTHY:
                    return Step(resource, subject_of(resource), "Healthy", "done")
                case HealthStatus.UNHEALTHY:
                    return Step(resource, subject_of(resource), "Unhealthy", "error", health.failure, health.failure)
                case HealthStatus.STARTING:
                    return await_step(resource, "to be healthy")
        case ContainerEvent(change="exited"):
            resource = ResourceId.container(event.container)
            if event.exit_code == 0:
                return Step(resource, subject_of(resource), "Exited", "done")
            return Step(resource, subject_of(resource), describe_exit(event.exit_code, event.oom_killed), "error")
    return None


def await_step(resource: ResourceId, what: str) -> Step:
    """The step of a resource that is only being waited for."""
    return Step(resource, subject_of(resource), "Waiting", "working", note=what)


def describe_exit(code: int | None, oom_killed: bool) -> str:
    """``Exited (137, out of memory)``"""
    return f"Exited ({'unknown' if code is None else code}{', out of memory' if oom_killed else ''})"


def subject_of(resource: ResourceId) -> str:
    """``Container stack-web-1``, as Docker Compose has it."""
    kind, name = resource
    return f"{kind.capitalize()} {name}"
