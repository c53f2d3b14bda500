"""A place in a Compose file, kept with what is made from it."""

from __future__ import annotations

from orchestra.record import Record


class Location(Record):
    """The place in the file: lines and columns count from 1."""

    path: str
    line: int
    column: int
