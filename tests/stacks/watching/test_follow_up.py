"""Restarts and commands after a sync: one at a time for each service, and none is lost."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from orchestra.errors import UserError
from orchestra.model.watch import WatchCommand
from orchestra.stacks.watching.decide import After
from orchestra.stacks.watching.events import Trouble
from orchestra.stacks.watching.follow_up import FollowUps

RESTART = After(restart=True)
TEST = WatchCommand(("test",))


class Acts:
    """Does nothing until it is let. begun: what has begun, in order."""

    def __init__(self) -> None:
        self.begun = SimpleQueue()
        self._gates = {}
        self.fails = set()

    def _wait(self, *act):
        gate = self._gates.setdefault(act, threading.Semaphore(0))
        self.begun.put(act)
        assert gate.acquire(timeout=30)
        if act in self.fails:
            raise UserError("no")

    def rebuild(self, service):
        self._wait("rebuild", service)

    def restart(self, services):
        self._wait("restart", *services)

    def execute(self, service, command):
        self._wait(*command.command, service)

    def next(self):
        return self.begun.get(timeout=30)

    def let(self, *act):
        self._gates[act].release()


@pytest.fixture
def acts():
    return Acts()


@pytest.fixture
def told():
    return SimpleQueue()


@pytest.fixture
def after(acts, told):
    return FollowUps(acts, told.put)


def test_what_comes_during_a_restart_is_one_more_restart(acts, after):
    after.add({"web": RESTART})
    assert acts.next() == ("restart", "web")
    for _ in range(5):
        after.add({"web": RESTART})
    acts.let("restart", "web")
    assert acts.next() == ("restart", "web")
    acts.let("restart", "web")
    after.add({"web": RESTART})
    assert acts.next() == ("restart", "web")
    acts.let("restart", "web")
    assert acts.begun.empty()


def test_services_of_one_batch_restart_together_and_do_not_wait_for_others(acts, after):
    after.add({"slow": RESTART})
    assert acts.next() == ("restart", "slow")
    after.add({"a": RESTART, "b": RESTART, "slow": RESTART})
    assert acts.next() == ("restart", "a", "b")
    acts.let("restart", "a", "b")
    acts.let("restart", "slow")
    assert acts.next() == ("restart", "slow")
    acts.let("restart", "slow")


def test_commands_run_after_the_restart_and_one_after_another(acts, after):
    after.add({"web": After(restart=True, commands=(TEST, WatchCommand(("lint",))))})
    for act in (("restart", "web"), ("test", "web"), ("lint", "web")):
        assert acts.next() == act
        acts.let(*act)


def test_after_a_failed_restart_nothing_is_run_and_the_next_change_tries_again(acts, after, told):
    acts.fails.add(("restart", "web"))
    after.add({"web": After(restart=True, commands=(TEST,))})
    assert acts.next() == ("restart", "web")
    after.add({"web": RESTART})
    acts.let("restart", "web")
    assert acts.next() == ("restart", "web")
    assert told.get(timeout=30) == Trouble("web", "no")
    acts.let("restart", "web")
    assert acts.begun.empty()


def test_a_rebuild_makes_a_restart_needless_unless_it_fails(acts, after, told):
    after.add({"web": After(rebuild=True, restart=True, commands=(TEST,))})
    for act in (("rebuild", "web"), ("test", "web")):
        assert acts.next() == act
        acts.let(*act)
    acts.fails.add(("rebuild", "web"))
    after.add({"web": After(rebuild=True, restart=True)})
    for act in (("rebuild", "web"), ("restart", "web")):
        assert acts.next() == act
        acts.let(*act)
    assert told.get(timeout=30) == Trouble("web", "no")


def test_a_sync_alone_has_nothing_after_it(acts, after):
    after.add({"web": After()})
    assert acts.begun.empty()
