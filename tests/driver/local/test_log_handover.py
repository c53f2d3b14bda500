"""A reader that stands still misses nothing that a rotation takes away, or is told how much."""

from __future__ import annotations

import os
import socket

import pytest

from orchestra.driver.local.log_handover import Handover
from orchestra.driver.local.logs import LogCursor
from orchestra.home import Home
from orchestra.linux import unix_socket
from orchestra.model.log import Gap
from orchestra.shim import followers
from orchestra.shim.log import LogFile, Stamp, render_records


class Written:
    """The log of one container, and a reader of it."""

    def __init__(self, tmp_path) -> None:
        self.home = Home(f"{tmp_path}/data", f"{tmp_path}/run").stack("s")
        os.makedirs(self.home.logs)
        os.makedirs(self.home.run)
        self.path = f"{self.home.logs}/s-web-1.log"
        self.handover = Handover(self.home)
        self.handover.open()
        self.stamp = Stamp()
        self.count = 0
        self.log = self.begin()

    def begin(self, max_file=3):
        return LogFile(self.path, 1000, max_file, self.home.followers)

    def write(self, lines):
        """Numbered, each a record of its own. About eighteen fill a file."""
        for _ in range(lines):
            text = render_records(b"%d\n" % self.count, "stdout", self.stamp.now())
            self.log.make_room(len(text))
            self.log.append(text)
            self.count += 1

    def end(self):
        self.log.hand_over(last=True)
        self.log.close()

    def remove(self):
        for file in os.listdir(self.home.logs):
            os.unlink(f"{self.home.logs}/{file}")

    def cursor(self):
        return LogCursor(self.path, self.handover.of("s-web-1.log"))


@pytest.fixture
def written(tmp_path):
    written = Written(tmp_path)
    yield written
    written.handover.close()
    written.log.close()
    assert os.listdir(written.home.followers) == []


def read(cursor):
    """Numbers of lines, and minus the count of those that are missing."""
    return [-line.lines if isinstance(line, Gap) else int(line.text) for line in cursor.lines()]


def test_a_reader_that_begins_late_misses_nothing_of_many_rotations(written):
    cursor = written.cursor()
    written.write(2000)
    assert read(cursor) == list(range(2000))
    written.write(500)
    assert read(cursor) == list(range(2000, 2500))
    assert read(cursor) == []
    cursor.close()


def test_nor_does_one_that_is_somewhere_in_between(written):
    written.write(100)
    begun = written.cursor()
    assert [line.text for line in begun.tail(2)] == [b"98", b"99"]
    written.write(300)
    from_the_end = written.cursor()
    assert read(begun) == list(range(100, 400))
    begun.close()
    from_the_end.skip_to_end()
    written.write(200)
    assert read(from_the_end) == list(range(400, 600))
    from_the_end.close()


def test_several_runs_and_a_removal_lie_between_two_looks(written):
    cursor = written.cursor()
    written.write(30)
    assert read(cursor) == list(range(30))
    written.write(70)
    written.end()
    written.log = written.begin()  # the same container, started again
    written.write(50)
    written.end()
    written.remove()
    written.log = written.begin()  # another one of that name
    written.write(50)
    written.end()
    written.remove()
    written.log = written.begin()
    written.write(5)
    assert read(cursor) == list(range(30, 205))
    cursor.close()


def test_a_run_that_was_over_and_removed_before_the_first_look(written):
    cursor = written.cursor()
    written.write(3)
    written.end()
    written.remove()
    assert read(cursor) == [0, 1, 2]
    cursor.close()
    written.log = written.begin()


@pytest.mark.parametrize("begun", [0, 1, 10, 40])
def test_what_is_too_much_to_hold_is_counted(written, monkeypatch, begun):
    monkeypatch.setattr(followers, "HELD", 5000)
    cursor = written.cursor()
    written.write(begun)
    assert read(cursor) == list(range(begun))
    written.write(1000)
    seen = read(cursor)
    shown, lost = [n for n in seen if n >= 0], -sum(n for n in seen if n < 0)
    assert shown == sorted(set(shown))
    assert lost > 0
    assert len(shown) + lost == 1000
    assert shown[-1] == begun + 999
    written.write(100)
    assert read(cursor) == list(range(begun + 1000, begun + 1100))
    cursor.close()


def test_a_line_whose_beginning_is_lost_is_lost(written, monkeypatch):
    monkeypatch.setattr(followers, "HELD", 5000)
    cursor = written.cursor()

    def write(data):
        text = render_records(data, "stdout", written.stamp.now())
        written.log.make_room(len(text))
        written.log.append(text)

    for number in range(300):  # each line in two records, so that files end in the middle of some
        write(b"%04d " % number + b"x" * (number % 50))
        write(b"end\n")
    seen = list(cursor.lines())
    shown = [line.text for line in seen if not isinstance(line, Gap)]
    assert all(text.endswith(b"end") and text[:4].isdigit() for text in shown)
    assert len(shown) + sum(line.lines for line in seen if isinstance(line, Gap)) == 300
    cursor.close()


def test_what_is_held_is_bounded(written, monkeypatch):
    monkeypatch.setattr(followers, "HELD", 5000)
    written.write(5000)
    log = written.handover.of("s-web-1.log")
    written.handover.accept()
    held = 0
    while log.follow(b""):
        fd = log.take()
        held += os.fstat(fd).st_size
        os.close(fd)
    assert 4000 < held < 5000 + 1000


def test_a_killed_or_unresponsive_follower_blocks_no_other(written):
    dead = unix_socket.listen(f"{written.home.followers}/1-dead", kind=socket.SOCK_SEQPACKET)
    dead.close()
    full = unix_socket.listen(f"{written.home.followers}/2-full", backlog=0, kind=socket.SOCK_SEQPACKET)
    with full, unix_socket.connect(f"{written.home.followers}/2-full", socket.SOCK_SEQPACKET):
        cursor = written.cursor()
        written.write(300)
        assert read(cursor) == list(range(300))
        cursor.close()
        assert not any("-dead" in name for name in os.listdir(written.home.followers))
        os.unlink(f"{written.home.followers}/2-full")


def test_a_log_that_is_not_wanted_is_let_go_of(written):
    written.write(100)
    written.handover.accept()
    written.handover.refuse("s-web-1.log")
    written.write(100)
    assert written.handover.accept() == []


def test_without_followers_nothing_is_handed_over(written, tmp_path):
    written.handover.close()
    written.write(300)
    cursor = LogCursor(written.path)
    assert read(cursor)[-1] == 299
    cursor.close()
