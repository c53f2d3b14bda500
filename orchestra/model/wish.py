"""What is asked of one service beyond the file."""

from __future__ import annotations

from enum import StrEnum

from orchestra.record import Record


class Recreate(StrEnum):
    """Which containers to replace: those that changed, all that the command names, or none."""

    CHANGED = "changed"
    ALWAYS = "always"
    NEVER = "never"


class Goal(StrEnum):
    """What the containers of a service come to.

    RUN: they are created and run. CREATE: they are created; those that run keep running under their restart policy,
    and those that do not are not started. LEAVE: they stay as they are, and one that ends is not started again, as
    after ``kill``. STOP: they are stopped and kept.
    """

    RUN = "run"
    CREATE = "create"
    LEAVE = "leave"
    STOP = "stop"


class Wish(Record):
    """What the last command about a service asked of it.

    at: Unix time of that command; containers that ended before it and may end (restart ``no``, or one-shots) are
    started again. recreate: ``ALWAYS`` replaces the containers created before ``at``; ``NEVER`` leaves them unchanged,
    whatever has changed. renew_volumes: containers created before ``at`` are replaced if they have anonymous volumes,
    and get new ones. alone: they start without waiting for their dependencies. restart: runs that began before ``at``
    are stopped, and others begin. stop_timeout: in seconds, instead of every stop_grace_period; None for the one of the
    whole stack.
    """

    at: float = 0.0
    goal: Goal = Goal.RUN
    recreate: Recreate = Recreate.CHANGED
    renew_volumes: bool = False
    alone: bool = False
    restart: bool = False
    stop_timeout: float | None = None

    @property
    def rests(self) -> bool:
        """Whether nothing is created or started."""
        return self.goal in (Goal.LEAVE, Goal.STOP)
