"""What there was at a moment, told from events."""

from __future__ import annotations

from orchestra.model.event import ContainerEvent, HealthEvent, SnapshotEvent
from orchestra.model.health import Health, HealthStatus
from orchestra.model.result import ContainerState
from orchestra.plan.past import PastContainer, containers_at

EVENTS = [
    ContainerEvent(1.0, "s-web-1", "web", "created"),
    ContainerEvent(2.0, "s-web-1", "web", "started"),
    HealthEvent(3.0, "s-web-1", "web", Health(HealthStatus.HEALTHY)),
    ContainerEvent(4.0, "s-web-1", "web", "exited", 137, True),
    ContainerEvent(5.0, "s-web-1", "web", "removed"),
    SnapshotEvent(6.0, (ContainerState("s-db-1", "db", "running"),)),
    ContainerEvent(7.0, "s-db-1", "db", "exited", 0),
    SnapshotEvent(8.0, (ContainerState("s-db-1", "db", "exited"), ContainerState("s-new-1", "new", "running"))),
]


def at(moment):
    return containers_at(EVENTS, moment)


def test_events_are_replayed_until_the_moment():
    assert at(0.5) == []
    assert at(1.5) == [PastContainer("s-web-1", "web", "created", 1.0)]
    assert at(3.5) == [PastContainer("s-web-1", "web", "running", 2.0, health=HealthStatus.HEALTHY)]
    assert at(4.5) == [PastContainer("s-web-1", "web", "exited", 4.0, 137, True)]
    assert at(5.5) == []


def test_a_snapshot_stands_for_events_that_are_not_kept():
    assert at(6.5) == [PastContainer("s-db-1", "db", "running")]
    assert at(9.0) == [PastContainer("s-db-1", "db", "exited", 7.0, 0), PastContainer("s-new-1", "new", "running")]
