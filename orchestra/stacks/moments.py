"""Times in the forms that Docker accepts: a date, seconds since 1970, or a duration ago. Standard library only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestra.regex import regex
from orchestra.units import parse_duration

if TYPE_CHECKING:
    import re

_UNIX = regex(r"(\d+)(?:\.(\d{1,9}))?")
_DATE = regex(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?)?"
    r"(Z|z|[+-]\d\d:?\d\d)?"
)


def parse_stamp(text: str, now: float) -> bytes:
    """A time stamp in UTC, as in logs. A date without a time zone is in local time. Raises ValueError."""
    seconds, fraction = _parse(text, now)
    try:
        whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    except OverflowError as error:
        raise ValueError(f"{text} is too far away") from error
    return f"{whole}.{fraction.ljust(9, '0')}Z".encode()


def parse_seconds(text: str, now: float) -> float:
    """The same as Unix seconds. Raises ValueError."""
    seconds, fraction = _parse(text, now)
    return seconds + float(f"0.{fraction or 0}")


def _parse(text: str, now: float) -> tuple[int, str]:
    """Unix seconds, and digits of a fraction of one. Raises ValueError."""
    match = _UNIX.fullmatch(text)
    if match is not None:
        return int(match[1]), match[2] or ""
    match = _DATE.fullmatch(text)
    if match is None:
        moment = int(now * 1e9) - parse_duration(text)
        return moment // 1_000_000_000, f"{moment % 1_000_000_000:09d}"
    try:
        return _seconds(match), match[7] or ""
    except OverflowError as error:
        raise ValueError(f"{text} is too far away") from error


def _seconds(match: re.Match[str]) -> int:
    """Raises ValueError for a day or an hour that does not exist."""
    from datetime import datetime, timedelta, timezone

    parts = [int(match[number] or 0) for number in range(1, 7)]
    moment = datetime(*parts)  # type: ignore[arg-type]  # six numbers, the zone comes after
    zone = match[8]
    if zone is None:
        return int(time.mktime(moment.timetuple()))
    if zone in "Zz":
        offset = timedelta()
    else:
        digits = zone[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) * (-1 if zone[0] == "-" else 1)
    return int(moment.replace(tzinfo=timezone(offset)).timestamp())
