"""What a stack was asked to be, one time after another: each change of its definition is a revision."""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.record import Record


class Author(Record):
    """user: the name of who gave the command. command: its name and arguments, such as ``up web``."""

    user: str = ""
    command: str = ""


class Revision(Record):
    """number: from 1. at: Unix time of the command. changed: what differs from the one before, in words.

    images: the digests of the images that containers were made from, by ``ImageSpec.key``; of those that are known.
    """

    number: int
    at: float
    author: Author = Author()
    changed: tuple[str, ...] = ()
    images: Mapping[str, str] = {}
