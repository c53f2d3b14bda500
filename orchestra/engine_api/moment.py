"""Times as Docker reads them. Pure."""

from __future__ import annotations

from orchestra.engine_api.errors import bad_request
from orchestra.stacks.moments import parse_seconds

NEVER = "0001-01-01T00:00:00Z"


def parse_moment(name: str, text: str, now: float) -> float | None:
    """Unix seconds of a Unix time, an RFC 3339 time, or a duration before now; None for none. Raises ApiError."""
    if not text or text == "0":
        return None
    try:
        return parse_seconds(text, now)
    except ValueError as error:
        raise bad_request(f"{name}: {text!r} is not a time") from error
