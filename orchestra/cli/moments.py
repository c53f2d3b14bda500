"""``--since``, ``--until`` and ``--at``. Standard library only."""

from __future__ import annotations

from typing import TypeVar

from orchestra.errors import UserError
from orchestra.stacks import moments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

Moment = TypeVar("Moment", bytes, float)


def parse_moment(option: str, text: str, now: float) -> bytes:
    """As ``stacks.moments.parse_stamp``. Raises UserError."""
    return _parse(moments.parse_stamp, option, text, now)


def parse_seconds(option: str, text: str, now: float) -> float:
    """As Unix seconds. Raises UserError."""
    return _parse(moments.parse_seconds, option, text, now)


def _parse(parse: Callable[[str, float], Moment], option: str, text: str, now: float) -> Moment:
    try:
        return parse(text, now)
    except ValueError:
        hint = "use a duration such as 90s or 1h30m, a date such as 2026-01-31T12:00:00Z, or seconds since 1970"
        raise UserError(f"{option} {text}: not a valid time", hint=hint) from None
