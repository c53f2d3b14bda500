"""What the command line of ``up`` asks for beyond the file, and what is desired then. ``plan`` shows the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestra.model.desired import Request
from orchestra.model.request import Recreate
from orchestra.plan.selection import merge_desired

if TYPE_CHECKING:
    from orchestra.model.desired import Desired
    from orchestra.model.request import Changes


def desire(current: Desired | None, new: Desired, changes: Changes, at: float) -> Desired:
    """What is desired after ``up``. current: what was until now; new: what the file says; at: Unix seconds.

    Raises UserError when that cannot be had beside what stays.
    """
    if changes.pull:
        new = replace(new, images=tuple(replace(image, pull_policy=changes.pull) for image in new.images))
    taken = tuple(service for service in new.services if not changes.services or service in changes.services)
    named = tuple(service for service in taken if not changes.named or service in changes.named)
    dependencies = tuple(service for service in taken if service not in named)
    also = dependencies if changes.recreate_dependencies else ()
    asked = Request(
        at=at,
        recreate=(named if changes.recreate is Recreate.ALWAYS else ()) + also,
        never_replaced=taken if changes.recreate is Recreate.NEVER else (),
        renew_volumes=named + also if changes.renew_volumes else (),
        alone=named if changes.alone and changes.named else (),
        stop_timeout=changes.stop_timeout,
        remove_orphans=changes.remove_orphans,
    )
    as_they_are = frozenset(dependencies).difference(changes.scaled)
    return merge_desired(current, replace(new, request=asked), frozenset(changes.services), as_they_are)
