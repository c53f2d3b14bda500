"""How long to wait, how often to try, and what ``Retry-After`` asks for (RFC 9110, 10.2.3)."""

from __future__ import annotations

import random
import time

from orchestra.record import Record

SLOW_ATTEMPTS = 2


class Patience(Record):
    """Seconds, but for attempts and rate. connect, silence: for a connection, for the next bytes; longest: any pause.

    rate: bytes a second that an answer comes with at least, on the average of ``silence``; document: for all of a short
    answer, and for the head of any.
    """

    connect: float = 15.0
    silence: float = 30.0
    rate: float = 1024.0
    document: float = 60.0
    attempts: int = 5
    first: float = 0.3
    longest: float = 60.0

    def is_last(self, attempt: int, *, slow: bool = False) -> bool:
        """Whether this attempt, from 0 on, is the last. slow: it took all the time there is, so two are enough."""
        return attempt >= (min(self.attempts, SLOW_ATTEMPTS) if slow else self.attempts) - 1

    def pause(self, attempt: int) -> float:
        """After the failure of this attempt, from 0 on. Not the same for all who were thrown out together."""
        return min(self.longest, self.first * 2.0**attempt) * random.uniform(0.75, 1.25)


def retry_after(header: str) -> float:
    """Seconds; 0 for none, or one that makes no sense."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    if not text:
        return 0.0
    from email.utils import parsedate_to_datetime  # with all of email, for a rare header

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
