"""``--since`` and ``--until``: times in the forms that Docker accepts. Standard library only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestra.errors import UserError
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


def parse_moment(option: str, text: str, now: float) -> bytes:
    """A time stamp in UTC, as in logs, from a date, seconds since 1970, or a duration ago. Raises UserError.

    A date without a time zone is in local time.
    """
    match = _UNIX.fullmatch(text)
    if match is not None:
        return _stamp(int(match[1]), match[2])
    match = _DATE.fullmatch(text)
    try:
        if match is None:
            ago = parse_duration(text)
            moment = int(now * 1e9) - ago
            return _stamp(moment // 1_000_000_000, f"{moment % 1_000_000_000:09d}")
        return _stamp(_seconds(match), match[7])
    except (ValueError, OverflowError):
        hint = "use a duration such as 90s or 1h30m, a date such as 2026-01-31T12:00:00Z, or seconds since 1970"
        raise UserError(f"{option} {text}: not a valid time", hint=hint) from None


def parse_seconds(option: str, text: str, now: float) -> float:
    """The time as Unix seconds."""
    from calendar import timegm

    stamp = parse_moment(option, text, now).decode()
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    return timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction}")


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


def _stamp(seconds: int, fraction: str | None) -> bytes:
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{text}.{(fraction or '').ljust(9, '0')}Z".encode()
