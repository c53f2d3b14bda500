"""How the replicas of a service are replaced by ones of another definition: ``deploy.update_config`` and its twin."""

from __future__ import annotations

from enum import StrEnum

from orchestra.record import Record

MONITOR = 5.0
"""Seconds, as in Swarm."""


class Order(StrEnum):
    """STOP_FIRST: a container is stopped, and its successor takes its place. START_FIRST: stand-ins run before that."""

    STOP_FIRST = "stop-first"
    START_FIRST = "start-first"


class FailureAction(StrEnum):
    """What follows when too many of the new containers fail.

    PAUSE: no further container is replaced. CONTINUE: the others are. ROLLBACK: the former definition comes back.
    """

    PAUSE = "pause"
    CONTINUE = "continue"
    ROLLBACK = "rollback"


class Update(Record):
    """parallelism: how many containers are replaced at a time, 0 for all. delay: in seconds, between them.

    monitor: seconds from its start in which a new container may fail. max_failure_ratio: the share of the replicas that
    may fail before ``failure_action`` is taken.
    """

    parallelism: int = 1
    delay: float = 0.0
    order: Order = Order.STOP_FIRST
    monitor: float = MONITOR
    max_failure_ratio: float = 0.0
    failure_action: FailureAction = FailureAction.PAUSE


class Ending(StrEnum):
    """How an update ended that failed."""

    PAUSED = "paused"
    ROLLED_BACK = "rolled back"


class Failing(Record):
    """An update that has failed, and why, in words. at: when that was noticed (Unix seconds)."""

    ending: Ending
    at: float
    reason: str
