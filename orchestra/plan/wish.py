"""What the command line of ``up`` asks for beyond the file, and what is desired then. ``plan`` shows the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestra.model.desired import Request
from orchestra.plan.selection import merge_desired

if TYPE_CHECKING:
    from orchestra.model.desired import Desired


class Recreate(StrEnum):
    """Which containers are replaced: those that changed, all that the command names, or none."""

    CHANGED = "changed"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Wish:
    """The options of ``up`` that change what it does.

    services: taken over from the file: the named ones and what they depend on; empty for all. named: those that the
    command line names; empty for all of ``services``. scaled: those whose number of containers it gives. alone: the
    named services start without waiting for what they depend on. recreate: concerns the named services;
    recreate_dependencies: what they depend on is replaced too. renew_volumes: concerns every service that ``recreate``
    or ``recreate_dependencies`` may replace. pull: the pull_policy of every image.
    """

    services: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    scaled: frozenset[str] = frozenset()
    alone: bool = False
    recreate: Recreate = Recreate.CHANGED
    recreate_dependencies: bool = False
    renew_volumes: bool = False
    pull: str | None = None
    remove_orphans: bool = False
    stop_timeout: float | None = None


def desire(current: Desired | None, new: Desired, wish: Wish, at: float) -> Desired:
    """What is desired after ``up``. current: what was until now; new: what the file says; at: Unix seconds.

    Raises UserError when the wish cannot be granted beside what stays.
    """
    if wish.pull:
        new = replace(new, images=tuple(replace(image, pull_policy=wish.pull) for image in new.images))
    taken = tuple(service for service in new.services if not wish.services or service in wish.services)
    named = tuple(service for service in taken if not wish.named or service in wish.named)
    dependencies = tuple(service for service in taken if service not in named)
    also = dependencies if wish.recreate_dependencies else ()
    asked = Request(
        at=at,
        recreate=(named if wish.recreate is Recreate.ALWAYS else ()) + also,
        never_replaced=taken if wish.recreate is Recreate.NEVER else (),
        renew_volumes=named + also if wish.renew_volumes else (),
        alone=named if wish.alone and wish.named else (),
        stop_timeout=wish.stop_timeout,
        remove_orphans=wish.remove_orphans,
    )
    as_they_are = frozenset(dependencies) - wish.scaled
    return merge_desired(current, replace(new, request=asked), wish.services, as_they_are)
