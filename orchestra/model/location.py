"""A place in a Compose file, kept with what is made of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """Where the file says it: lines and columns count from 1."""

    path: str
    line: int
    column: int
