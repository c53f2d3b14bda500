"""Programs in containers of a swarm: when they get the size of their terminal, and their exit codes."""

from __future__ import annotations

import os
import threading

import pytest

from orchestra.cluster.endpoint import Endpoint
from orchestra.cluster.manager import Manager
from orchestra.cluster.program import Program
from orchestra.cluster.swarm_exec import SwarmSession
from tests.cluster.engine import Engine, listening


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def begin(engine, tmp_path):
    """Runs a program on a terminal."""
    with listening(engine, str(tmp_path / "engine.sock")) as address:
        manager = Manager(Endpoint(address), lambda _: None)
        yield lambda: Program(SwarmSession(manager, "web", {"Tty": True}), ())
        manager.close()


def test_a_size_that_is_told_too_early_is_told_again_with_the_first_output(engine, begin):
    refused, ended = threading.Event(), threading.Event()

    def program(connection):
        refused.wait(20)
        connection.sendall(b"hello")
        ended.wait(20)

    engine.program = program
    engine.faults.append(("POST /exec/program/resize", 404, "no such exec"))
    with begin() as running:
        running.resize(40, 120)
        while engine.faults:
            os.sched_yield()
        refused.set()
        assert os.read(running.terminal, 100) == b"hello"
        ended.set()
        assert running.wait() == 3
    assert engine.sizes == [(40, 120)]


def test_the_end_of_the_output_may_be_known_before_the_exit_code(engine, begin):
    engine.looks = 2
    with begin() as running:
        assert running.wait() == 3
