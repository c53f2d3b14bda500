"""A place in a Compose file, kept with what is made of it."""

from __future__ import annotations

from orchestra.record import Record


class Location(Record):
    """Where the file says it: lines and columns count from 1."""

    path: str
    line: int
    column: int
