"""A clock that was set back: what was asked for, and what has begun, may lie in its future.

Whether something was done for the last command, and how long it is still waited, follows from comparing times. Until
the clock had caught up, all that is done would count as done before that command, and be done again and again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.record import replace

if TYPE_CHECKING:
    from orchestra.model.desired import Desired


def last_asked_at(desired: Desired) -> float:
    """The time of the last command about any of it (Unix seconds)."""
    wishes = (wish.at for wish in desired.wishes.values())
    runs = (spec.one_off.at for spec in desired.containers if spec.one_off is not None)
    return max((desired.request.at, *wishes, *runs))


def as_of(desired: Desired, now: float) -> Desired:
    """``desired`` with commands that were given by now at the latest; the same object if they were."""
    if last_asked_at(desired) <= now:
        return desired
    return replace(
        desired,
        request=replace(desired.request, at=min(desired.request.at, now)),
        wishes={service: replace(wish, at=min(wish.at, now)) for service, wish in desired.wishes.items()},
        containers=tuple(
            spec if spec.one_off is None else replace(spec, one_off=replace(spec.one_off, at=min(spec.one_off.at, now)))
            for spec in desired.containers
        ),
    )


def is_waiting(began: float, until: float, now: float) -> bool:
    """Whether a wait that began then still goes on: not if the clock was set back to before it."""
    return began <= now < until
