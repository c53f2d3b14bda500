"""A connection as its other end sees it."""

from __future__ import annotations

import socket
import struct

import pytest

from orchestra.names.loop import Loop
from orchestra.names.stream import PIPELINED, Stream


class Served:
    """answers: of the questions that are answered at once, the others wait in ``waiting``."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.client, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.client.settimeout(30)
        self.asked: list[bytes] = []
        self.waiting = []
        self.at_once = True
        self.events: list[str] = []
        note = self.events.append
        self.stream = Stream(theirs, self.loop, self.look_up, lambda _: note("used"), lambda _: note("closed"))

    def look_up(self, packet, deliver):
        self.asked.append(packet)
        if self.at_once:
            return packet[2:]
        self.waiting.append(lambda: deliver(packet[2:]))
        return None

    def read(self):
        (length,) = struct.unpack("!H", self.client.recv(2, socket.MSG_WAITALL))
        return self.client.recv(length, socket.MSG_WAITALL)


def question(number, size=12):
    return struct.pack("!HH", size, number) + bytes(size - 2)


@pytest.fixture
def served():
    made = Served()
    yield made
    made.stream.close()
    made.client.close()
    made.loop.close()


def test_questions_may_come_together_and_in_pieces(served):
    wire = question(1) + question(2) + question(3)
    for byte in wire:
        served.client.sendall(bytes((byte,)))
        served.loop.turn(0)
    assert [packet[1] for packet in served.asked] == [1, 2, 3]
    assert served.events == ["used"] * 3
    assert [served.read()[1] for _ in range(3)] == [1, 2, 3]


def test_one_turn_reads_no_more_than_one_question(served):
    served.client.sendall(question(1) + question(2))
    for asked in (0, 1, 1, 2):
        served.loop.turn(0)
        assert len(served.asked) == asked


def test_answers_come_as_they_are_ready(served):
    served.at_once = False
    served.client.sendall(question(1) + question(2))
    for _ in range(4):
        served.loop.turn(0)
    for deliver in reversed(served.waiting):
        deliver()
    assert [served.read()[1] for _ in range(2)] == [2, 1]


def test_so_many_questions_in_progress_are_enough(served):
    served.at_once = False
    served.client.sendall(b"".join(map(question, range(PIPELINED + 5))))
    for _ in range(2 * PIPELINED + 10):
        served.loop.turn(0)
    assert len(served.asked) == PIPELINED
    served.waiting[0]()
    for _ in range(2):
        served.loop.turn(0)
    assert len(served.asked) == PIPELINED + 1


@pytest.mark.parametrize("length", [0, 11, 4097, 65535])
def test_what_is_no_question_ends_the_connection(served, length):
    served.client.sendall(struct.pack("!H", length))
    served.loop.turn(0)
    assert served.client.recv(1) == b""
    assert served.events == ["closed"]


def test_a_client_that_sends_no_more_still_gets_its_answers(served):
    served.at_once = False
    served.client.sendall(question(1))
    served.client.shutdown(socket.SHUT_WR)
    for _ in range(4):
        served.loop.turn(0)
    served.waiting[0]()
    assert served.read()[1] == 1
    assert served.client.recv(1) == b""
    assert served.events == ["used", "closed"]


def test_a_client_that_hangs_up_is_forgotten(served):
    served.at_once = False
    served.client.sendall(question(1))
    for _ in range(2):
        served.loop.turn(0)
    served.client.close()
    for _ in range(2):
        served.loop.turn(0)
    served.waiting[0]()
    assert served.events == ["used", "closed"]
    assert len(served.loop) == 0


def test_a_client_that_takes_no_answers_is_asked_for_no_more_questions(served):
    served.client.sendall(question(1, 4096) * 8)
    served.client.setblocking(False)
    sent = 0
    for _ in range(5000):
        served.loop.turn(0)
        try:
            sent += served.client.send(question(1, 4096))
        except BlockingIOError:
            continue
    before = len(served.asked)
    for _ in range(10):
        served.loop.turn(0)
    assert len(served.asked) == before
    served.client.settimeout(30)
    assert len(served.read()) == 4096
