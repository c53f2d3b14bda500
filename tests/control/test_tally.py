"""What is counted of events outlives the files that had them, whenever the supervisor is killed."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest

from orchestra.control import history, tally
from orchestra.control.tally import Counting
from orchestra.home import Home
from orchestra.model.event import ActionEvent, ContainerEvent, ConvergedEvent, HealthEvent, Phase
from orchestra.model.health import Health
from orchestra.model.resource import Kind, ResourceId

WEB = ResourceId(Kind.CONTAINER, "s-web-1")


@pytest.fixture
def stack_home(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "FULL", 2000)
    return Home(str(tmp_path / "data"), str(tmp_path / "run")).stack("s")


def happen(stack_home, at=1.0, phase=Phase.DONE):
    history.append_events(stack_home, [ActionEvent(at, "start", WEB, phase)])


def test_each_event_is_counted_once_however_often_files_are_replaced(stack_home):
    watching = Counting(stack_home)
    for number in range(1, 101):
        happen(stack_home, number, Phase.FAILED if number % 10 == 0 else Phase.DONE)
        if number % 7 == 0:
            assert sum(watching.read().actions.values()) == number
    assert os.path.getsize(stack_home.events) < 2000, "files have been replaced"
    for counting in (watching, Counting(stack_home)):
        assert counting.read().actions == {("start", "done"): 90, ("start", "failed"): 10}


@pytest.mark.parametrize("victim", ["counts.json", "events.jsonl.1"])
def test_a_supervisor_killed_while_files_are_replaced_counts_nothing_twice(victim, stack_home, monkeypatch):
    rename, kills = os.rename, []

    def die_every_other_time(source, target):
        if str(target).endswith(victim):
            kills.append(len(kills) % 2 == 0)
            if kills[-1]:
                raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "rename", die_every_other_time)
    for number in range(1, 101):
        with suppress(KeyboardInterrupt):
            happen(stack_home, number)
        assert Counting(stack_home).read().actions["start", "done"] == number
    assert len(kills) > 4


def test_what_has_only_begun_and_what_cannot_be_read_is_not_counted(stack_home):
    happen(stack_home, phase=Phase.STARTED)
    history.append_events(stack_home, [HealthEvent(1.0, "s-web-1", "web", Health(output='"ActionEvent"'))])
    happen(stack_home)
    with open(stack_home.events, "ab") as file:
        file.write(b'{"kind":"ActionEvent"}\nnonsense"ActionEvent"\n{"phase":"done","verb":"stop","ki')
    counting = Counting(stack_home)
    assert counting.read().actions == {("start", "done"): 1}
    with open(stack_home.events, "ab") as file:
        file.write(b'nd":"ActionEvent"}\n')
    assert counting.read().actions == {("start", "done"): 1, ("stop", "done"): 1}


def test_only_what_a_command_waited_for_is_a_convergence(stack_home):
    events = [
        ConvergedEvent(12.0, (), wanted_at=10.0),
        ContainerEvent(20.0, "s-web-1", "web", "exited", 137, oom_killed=True),
        ContainerEvent(21.0, "s-web-1", "web", "exited", 137),
        ConvergedEvent(22.0, (), wanted_at=10.0),
        ConvergedEvent(31.0, ("container/s-web-1: no such program",), wanted_at=30.0),
    ]
    history.append_events(stack_home, events)
    counting = Counting(stack_home)
    found = counting.read()
    assert (found.convergences, found.seconds, found.last_at, found.failed) == (1, 2.0, 12.0, 1)
    assert found.memory_kills == {"s-web-1": 1}
    history.append_events(stack_home, [ConvergedEvent(35.0, (), wanted_at=30.0)])
    found = counting.read()
    assert (found.convergences, found.seconds, found.last_seconds, found.failed) == (2, 7.0, 5.0, 0)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"folded": 1}', b'{"folded": "x"}'])
def test_a_damaged_file_of_counts_counts_as_none(content, stack_home):
    happen(stack_home)
    with open(stack_home.counts, "wb") as file:
        file.write(content)
    assert Counting(stack_home).read().actions == {("start", "done"): 1}


def test_nothing_is_counted_of_a_stack_that_is_not_there(stack_home):
    assert not Counting(stack_home).read().actions
    tally.count_before_replacing(stack_home)
    assert not os.path.exists(stack_home.counts)
