"""What is asked of one service beyond the file."""

from __future__ import annotations

from enum import StrEnum

from orchestra.record import Record


class Recreate(StrEnum):
    """Which containers are replaced: those that changed, all that the command names, or none."""

    CHANGED = "changed"
    ALWAYS = "always"
    NEVER = "never"


class Wish(Record):
    """What the last command that concerned a service asked of it.

    at: Unix time of that command; containers that ended before it and may end (restart ``no``, or one-shots) are
    started again by it. recreate: ``ALWAYS`` replaces the containers created before ``at``; ``NEVER`` leaves them as
    they are, whatever changed. renew_volumes: containers created before ``at`` are replaced if they have anonymous
    volumes, and begin with new ones. alone: they start without waiting for what they depend on. stopped: they are
    stopped and kept, as after Ctrl-C.
    """

    at: float = 0.0
    recreate: Recreate = Recreate.CHANGED
    renew_volumes: bool = False
    alone: bool = False
    stopped: bool = False
