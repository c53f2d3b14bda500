"""Replies of other servers, remembered for as long as they say (RFC 1035 section 7.4, RFC 2308). Pure."""

from __future__ import annotations

from orchestra.named_tuple import NamedTuple
from orchestra.names.message import QUESTION_AT, aged, lifetime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

LONGEST = 3600
"""Seconds: whatever a server says, it is asked again after these."""


class _Reply(NamedTuple):
    body: bytes
    places: tuple[int, ...]
    at: float
    ends: float


class Cache:
    """At most so many replies, and bytes of them: what has not been asked for longest goes first."""

    def __init__(self, most: int = 512, most_bytes: int = 128 << 10) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._replies: dict[Hashable, _Reply] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._replies)

    def put(self, key: Hashable, packet: bytes, now: float) -> None:
        """Remember a reply if it may be remembered. now: seconds of a clock that only goes forward."""
        lives = lifetime(packet)
        if lives is None or not lives.seconds or len(packet) > self._most_bytes:
            return
        self._forget(key)
        self._replies[key] = _Reply(packet[2:], lives.places, now, now + min(lives.seconds, LONGEST))
        self._bytes += len(packet)
        while len(self._replies) > self._most or self._bytes > self._most_bytes:
            self._forget(next(iter(self._replies)))

    def get(self, key: Hashable, question: bytes, now: float) -> bytes | None:
        """The body of the reply to this question, with the times that are left, and in the spelling of the question."""
        found = self._replies.get(key)
        if found is None or found.ends <= now:
            self._forget(key)
            return None
        self._replies[key] = self._replies.pop(key)  # to the end
        body = aged(found.body, found.places, int(now - found.at))
        at = QUESTION_AT - 2
        return body[:at] + question + body[at + len(question) :]

    def clear(self) -> None:
        self._replies.clear()
        self._bytes = 0

    def _forget(self, key: Hashable) -> None:
        found = self._replies.pop(key, None)
        if found is not None:
            self._bytes -= len(found.body) + 2
