"""Moments, and durations in Docker's words (go-units ``HumanDuration``)."""

from __future__ import annotations

import time


def describe_span(seconds: float) -> str:
    """``5 seconds``, ``About a minute``, ``3 hours``, ``2 weeks``."""
    whole = int(seconds)
    minutes, hours = whole // 60, round(seconds / 3600)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < 60:
        return f"{whole} seconds"
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    days = int(seconds // 86400)
    if days < 14:
        return f"{days} days"
    if days < 60:
        return f"{days // 7} weeks"
    if days < 730:
        return f"{days // 30} months"
    return f"{days // 365} years"


def describe_moment(seconds: float) -> str:
    """A Unix time as Docker's tables show it: ``2026-01-31 12:00:00 +0000 UTC``."""
    return time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(seconds))
