"""What containers write, and how their runs end, for commands that follow logs. Standard library only, and light."""

from __future__ import annotations

import time

from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.model.observed import Container, Exited


class Line(NamedTuple):
    """stamp: RFC 3339 with nanoseconds in UTC, so that stamps compare as text; of the line's first piece."""

    stamp: bytes
    stream: bytes
    text: bytes


class Gap(NamedTuple):
    """Lines that were rotated away before they were read, between this stamp and the next line's."""

    stamp: bytes
    lines: int


class Written(NamedTuple):
    container: Container
    line: Line


class Missed(NamedTuple):
    """Lines of a container that are lost: they were rotated away while this process was stopped."""

    container: Container
    line: Gap


class Ended(NamedTuple):
    """A run has ended, and all its output has been returned before. runs_again: according to its restart policy."""

    container: Container
    exited: Exited
    runs_again: bool


Happening = Written | Missed | Ended
NANOSECONDS = 1_000_000_000


def render_stamp(nanoseconds: int) -> bytes:
    """A Unix time in the format of log lines."""
    seconds, fraction = divmod(nanoseconds, NANOSECONDS)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09d}Z".encode()


def render_moment(seconds: float) -> str:
    """A Unix time in RFC 3339 with nanoseconds, in UTC."""
    return render_stamp(int(seconds * NANOSECONDS)).decode()
