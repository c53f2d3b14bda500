"""What a policy may return for a resource instead of an action: not now, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.record import Record

if TYPE_CHECKING:
    from orchestra.model.location import Location
    from orchestra.model.resource import ResourceId


class Blocked(Record):
    """Something should happen to ``resource`` but is not possible yet.

    waits_for: resources that must change first; until: the moment (Unix seconds) that ends the waiting.
    awaited: resources that take their time without any action, and what each is waiting for, such as ``to be healthy``.
    """

    resource: ResourceId
    reason: str
    waits_for: tuple[ResourceId, ...] = ()
    until: float | None = None
    awaited: tuple[tuple[ResourceId, str], ...] = ()


class Failed(Record):
    """``resource`` cannot become what it should be until the file, the machine or another container changes.

    waits_for: resources that it would also wait for: they may be another reason. in_use: it cannot be removed,
    since another stack uses it; that is not an error. location: the place in the file that failed, if known.
    """

    resource: ResourceId
    error: str
    hint: str = ""
    waits_for: tuple[ResourceId, ...] = ()
    in_use: bool = False
    location: Location | None = None

    def __str__(self) -> str:
        return f"{self.resource}: {self.error}"
