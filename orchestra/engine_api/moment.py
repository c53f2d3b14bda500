"""Times as Docker reads them. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from orchestra.engine_api.errors import bad_request
from orchestra.units import parse_duration

NEVER = "0001-01-01T00:00:00Z"
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?")
_FRACTION = re.compile(r"\.([0-9]+)")


def parse_moment(name: str, text: str, now: float) -> float | None:
    """Unix seconds of a Unix time, an RFC 3339 time, or a duration before now; None for none. Raises ApiError."""
    if not text or text == "0":
        return None
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        whole = _FRACTION.sub(lambda found: f".{found[1][:6]:0<6}", text)
        found = datetime.fromisoformat(whole.replace("Z", "+00:00"))
        return found.timestamp()
    except ValueError:
        pass
    try:
        return now - parse_duration(text).seconds
    except ValueError as error:
        raise bad_request(f"{name}: {text!r} is not a time") from error
