"""Replicas that are replaced a few at a time."""

from __future__ import annotations

from orchestra.model.desired import Update
from tests.plan.stacks import service, stack
from tests.plan.test_preview import lines, planned, world_after


def rolled(update, **more):
    before = stack(service("web", replicas=3, **more))
    return planned(
        stack(service("web", replicas=3, config_hash="v2", update=update, **more), at=200.0), world_after(before)
    )


def rounds_of_stops(text):
    return [line.split(".")[0] if "." in line[:4] else "" for line in text.splitlines() if "stop " in line]


def test_one_replica_at_a_time():
    assert rolled(Update()) == lines("""
        1.  stop   container/s-web-1  to be replaced: its definition changed
        2.  remove container/s-web-1  to be replaced: its definition changed
        3.  create container/s-web-1  does not exist
        4.  start  container/s-web-1  created
        5.  stop   container/s-web-2  to be replaced: its definition changed
        6.  remove container/s-web-2  to be replaced: its definition changed
        7.  create container/s-web-2  does not exist
        8.  start  container/s-web-2  created
        9.  stop   container/s-web-3  to be replaced: its definition changed
        10. remove container/s-web-3  to be replaced: its definition changed
        11. create container/s-web-3  does not exist
        12. start  container/s-web-3  created
        """)


def test_two_at_a_time_and_all_at_once():
    assert rounds_of_stops(rolled(Update(2))) == ["1", "", "5"]
    assert rounds_of_stops(rolled(Update(0))) == rounds_of_stops(rolled(None)) == ["1", "", ""]


def test_the_next_one_waits_for_health_and_for_the_delay():
    told = rolled(Update(1, 30.0), healthy=True)
    assert told.index("start  container/s-web-1") < told.index("stop   container/s-web-2")
    assert told.count("stop ") == 3
