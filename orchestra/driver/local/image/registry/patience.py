"""How long to wait, how often to retry, and how to read ``Retry-After`` (RFC 9110, 10.2.3)."""

from __future__ import annotations

import random
import time

from orchestra.record import Record

SLOW_ATTEMPTS = 2


class Patience(Record):
    """Seconds, except attempts and rate. connect, silence: for a connection, for the next bytes; longest: any pause.

    rate: minimum bytes a second of an answer, on the average of ``silence``; document: for all of a short answer, and
    for the head of any.
    """

    connect: float = 15.0
    silence: float = 30.0
    rate: float = 1024.0
    document: float = 60.0
    attempts: int = 5
    first: float = 0.3
    longest: float = 60.0

    def is_last(self, attempt: int, *, slow: bool = False) -> bool:
        """Whether this attempt, counted from 0, is the last. slow: it used up all its time, so two are enough."""
        return attempt >= (min(self.attempts, SLOW_ATTEMPTS) if slow else self.attempts) - 1

    def pause(self, attempt: int) -> float:
        """After the failure of this attempt, counted from 0.

        Random, so that clients do not all retry at the same moment.
        """
        return min(self.longest, self.first * 2.0**attempt) * random.uniform(0.75, 1.25)


def retry_after(header: str) -> float:
    """Seconds; 0 if there is no header, or an invalid one."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    if not text:
        return 0.0
    from email.utils import parsedate_to_datetime  # imports all of email, for a rare header

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
