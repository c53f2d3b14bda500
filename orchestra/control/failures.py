"""Failures of a plan as a client hears of them: what failed, why, where the file says it, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.codec import encode
from orchestra.model.resource import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.control.wire import Message
    from orchestra.model.desired import Desired
    from orchestra.model.location import Location
    from orchestra.plan.verdict import Failed


def describe_failures(failures: Iterable[Failed], desired: Desired) -> list[Message]:
    """{"resource", "error", "hint", "location": {"path", "line", "column"} or null} for each, in the order of the file.

    What has no place there comes last.
    """
    files = {path: number for number, path in enumerate(desired.config_files)}

    def by_place(found: tuple[Failed, Location | None]) -> tuple[int, str, int, int, str]:
        failure, place = found
        if place is None:
            return len(files) + 1, "", 0, 0, str(failure.resource)
        return files.get(place.path, len(files)), place.path, place.line, place.column, str(failure.resource)

    return [
        {
            "resource": str(failure.resource),
            "error": failure.error,
            "hint": failure.hint,
            "location": encode(place),
        }
        for failure, place in sorted(((f, find_location(desired, f)) for f in failures), key=by_place)
    ]


def find_location(desired: Desired, failure: Failed) -> Location | None:
    """Where the file says what has failed, or else declares the resource."""
    if failure.location is not None:
        return failure.location
    kind, name = failure.resource
    match kind:
        case Kind.IMAGE:
            return next((spec.location for spec in desired.images if spec.key == name), None)
        case Kind.NETWORK:
            return next((spec.location for spec in desired.networks if spec.name == name), None)
        case Kind.VOLUME:
            return next((spec.location for spec in desired.volumes if spec.name == name), None)
        case _:
            spec = desired.container(name)
            return None if spec is None else spec.location
