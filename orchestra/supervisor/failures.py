"""Failures of a plan as a client hears of them: what failed, why, where the file says it, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.state.codec import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.plan.verdict import Failed
    from orchestra.state.desired import Desired, Location
    from orchestra.supervisor.wire import Message


def describe_failures(failures: Iterable[Failed], desired: Desired) -> list[Message]:
    """{"resource", "error", "hint", "location": {"path", "line", "column"} or null} for each, causes first."""
    return [
        {
            "resource": failure.resource,
            "error": failure.error,
            "hint": failure.hint,
            "location": encode(find_location(desired, failure)),
        }
        for failure in failures
    ]


def find_location(desired: Desired, failure: Failed) -> Location | None:
    """Where the file declares what failed; for a container the port that the error speaks of, if it does."""
    kind, _, name = failure.resource.partition("/")
    match kind:
        case "image":
            return next((spec.location for spec in desired.images if spec.key == name), None)
        case "network":
            return next((spec.location for spec in desired.networks if spec.name == name), None)
        case "volume":
            return next((spec.location for spec in desired.volumes if spec.name == name), None)
        case _:
            spec = desired.container(name)
            if spec is None:
                return None
            spoken_of = (p.location for p in spec.ports if f"port {p.published}/{p.protocol} " in failure.error)
            return next(spoken_of, spec.location)
