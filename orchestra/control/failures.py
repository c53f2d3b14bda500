"""Failures of a plan as they are reported to clients: what failed, why, its place in the file, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.resource import Kind
from orchestra.model.result import ReportedFailure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.model.desired import Desired
    from orchestra.model.location import Location
    from orchestra.plan.verdict import Failed


def report_failures(failures: Iterable[Failed], desired: Desired) -> tuple[ReportedFailure, ...]:
    """Report failures in the order of the file; those without a place in it come last."""
    files = {path: number for number, path in enumerate(desired.config_files)}

    def by_place(found: tuple[Failed, Location | None]) -> tuple[int, str, int, int, str]:
        failure, place = found
        if place is None:
            return len(files) + 1, "", 0, 0, str(failure.resource)
        return files.get(place.path, len(files)), place.path, place.line, place.column, str(failure.resource)

    found = sorted(((failure, find_location(desired, failure)) for failure in failures), key=by_place)
    return tuple(ReportedFailure(failure.resource, failure.error, failure.hint, place) for failure, place in found)


def find_location(desired: Desired, failure: Failed) -> Location | None:
    """The place in the file of the setting that failed, or else of the resource's declaration."""
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
        case Kind.SERVICE:
            return next((spec.location for spec in desired.of_services if spec.service == name), None)
        case _:
            spec = desired.container(name)
            return None if spec is None else spec.location
