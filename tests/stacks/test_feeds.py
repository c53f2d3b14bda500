"""Events and logs of a stack for as long as it is looked at, whatever becomes of it meanwhile."""

from __future__ import annotations

import os
from contextlib import contextmanager
from queue import Queue
from threading import Thread

import pytest

from orchestra.errors import UserError
from orchestra.home import find_home
from orchestra.model.event import AskedEvent, ContainerEvent, SnapshotEvent
from orchestra.model.project import Project
from orchestra.record import replace
from orchestra.stacks.context import Context
from orchestra.stacks.down import DownOptions, down, find_stack_for_down
from orchestra.stacks.hearing import feed_events
from orchestra.stacks.logs import Selection, feed_logs
from orchestra.stacks.up import UpOptions, begin_up, up
from tests.cli.conftest import ByHand

SECONDS = 40


@pytest.fixture
def context(tmp_path, monkeypatch):
    (tmp_path / "compose.yaml").write_text("name: s\nservices: {web: {image: x}}\n")
    monkeypatch.setenv("ORCHESTRA_HOME", f"{tmp_path}/home")  # the supervisor's, which this process starts
    home = find_home({"ORCHESTRA_HOME": f"{tmp_path}/home"}, 0)
    return Context(home, "fake", Project(files=("compose.yaml",)), {"HOME": str(tmp_path)}, str(tmp_path))


@contextmanager
def feeding(feed):
    """What the feed tells, in a queue. Its thread ends when it is stopped."""
    reader, writer = os.pipe()
    heard: Queue = Queue()
    thread = Thread(target=feed, args=(heard.put, reader), daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        os.close(writer)
        thread.join(SECONDS)
        os.close(reader)
        assert not thread.is_alive()


def is_start(event):
    return isinstance(event, ContainerEvent) and event.change == "started"


def test_events_are_fed_from_before_a_stack_is_up_until_after_it_was_down_and_up_again(context, tmp_path):
    with feeding(lambda hear, stop: feed_events(context, "s", hear, stop)) as heard:

        def hear_until(wanted):
            told = []
            while not told or not wanted(told[-1]):
                told.append(heard.get(timeout=SECONDS))
            return told

        for _ in range(2):
            up(begin_up(context, UpOptions().chosen), UpOptions())
            *before, _snapshot = hear_until(lambda event: isinstance(event, SnapshotEvent))
            later = [] if any(map(is_start, before)) else hear_until(is_start)
            assert any(isinstance(event, AskedEvent) for event in (*before, *later))
            known, _exists = find_stack_for_down(context, DownOptions())
            down(context, known, DownOptions())
            hear_until(lambda event: isinstance(event, ContainerEvent) and event.change == "removed")
    assert not (tmp_path / "home/run/stacks/s/control.sock").exists()  # no supervisor was started for it


def test_logs_are_fed_of_containers_that_are_yet_to_come(context, tmp_path):
    local = replace(context, driver="local")
    with feeding(lambda hear, stop: feed_logs(local, "s", Selection(tail=5), hear, stop)) as heard:
        assert not (tmp_path / "home/data/stacks/s").exists()
        stack = ByHand(context.home)
        stack.write(stack.create("web"), "one\n")
        stack.want(services=["web"])

        def next_texts():
            while not (texts := [each.line.text for each in heard.get(timeout=SECONDS)]):
                pass
            return texts

        assert next_texts() == [b"one"]
        stack.write_now("s-web-1", "two\n")
        assert next_texts() == [b"two"]


def test_a_driver_without_logs_says_so(context):
    with pytest.raises(UserError, match="the driver fake has no logs"):
        feed_logs(context, "s", Selection(), print, 0)
