"""What a policy may say of a resource instead of an action: not now, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.record import Record

if TYPE_CHECKING:
    from orchestra.model.location import Location
    from orchestra.model.resource import ResourceId


class Blocked(Record):
    """Something is wanted of ``resource`` but not yet possible.

    waits_for: resources that must change first; until: the moment (Unix seconds) that ends the waiting.
    awaited: what takes its time without any action: resources, and what is awaited of each, ``to be healthy``.
    """

    resource: ResourceId
    reason: str
    waits_for: tuple[ResourceId, ...] = ()
    until: float | None = None
    awaited: tuple[tuple[ResourceId, str], ...] = ()


class Failed(Record):
    """``resource`` will not become what it should until the file, the machine or another container changes.

    waits_for: resources it would also wait for: they may turn out to be another reason. in_use: it cannot be removed,
    since another stack uses it; that is no fault. location: what of the file has failed, where that is known.
    """

    resource: ResourceId
    error: str
    hint: str = ""
    waits_for: tuple[ResourceId, ...] = ()
    in_use: bool = False
    location: Location | None = None

    def __str__(self) -> str:
        return f"{self.resource}: {self.error}"
