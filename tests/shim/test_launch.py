"""Launching starts one fork server per stack, even when old files or dying processes are in the way."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestra.errors import TemporaryError
from orchestra.linux import unix_socket
from orchestra.linux.readiness import readable
from orchestra.shim import launch
from tests.shim.conftest import SUPERVISOR, Stack, eventually


def test_who_launches_at_once_gets_one_fork_server(tmp_path, tree):
    stack = Stack(tmp_path, tree)
    try:
        with ThreadPoolExecutor(4) as pool:
            for each in [pool.submit(stack.launch) for _ in range(4)]:
                each.result()
        assert stack.fork_server == stack.fork_server
    finally:
        stack.close()


def test_a_directory_removed_while_the_fork_server_starts_is_made_anew(tmp_path, tree, monkeypatch):
    stack = Stack(tmp_path, tree)
    start, begun = launch._start, []

    def start_after_removal(*arguments):
        if len(begun) < 2:
            shutil.rmtree(stack.home.run)
        begun.append(arguments)
        start(*arguments)

    monkeypatch.setattr(launch, "_start", start_after_removal)
    try:
        stack.launch()
        assert launch.is_running(stack.home)
        assert len(begun) == 3
        log = Path(stack.home.supervisor_log).read_text().splitlines()
        assert [line.partition(":")[0] for line in log] == ["the fork server cannot start"] * 2
    finally:
        stack.close()


def test_what_is_left_for_a_moment_of_a_killed_fork_server_is_not_taken_for_one(tmp_path, tree):
    """Descriptors that end with a process are let go of one by one, and a child of it may still have them."""
    stack = Stack(tmp_path, tree)
    os.makedirs(stack.home.run)
    lock = os.open(f"{stack.home.run}/fork.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    listener = unix_socket.listen(stack.home.fork_socket)
    try:
        with ThreadPoolExecutor() as pool:
            launched = pool.submit(stack.launch)
            assert readable(listener.fileno(), 10)
            listener.close()
            os.close(lock)
            launched.result(30)
        assert launch.is_running(stack.home)
    finally:
        stack.close()


LAUNCHER = """
import sys
from orchestra.home import Home
from orchestra.shim.launch import launch
data, run, *supervisor = sys.argv[1:]
launch(Home(data, run).stack("s"), supervisor)
"""


def test_a_fork_server_whose_launcher_was_killed_is_waited_for(tmp_path, tree):
    stack = Stack(tmp_path, tree)
    log = Path(stack.home.supervisor_log)
    log.parent.mkdir(parents=True)
    os.mkfifo(log)  # the new process opens it before its program runs, and waits for a reader
    homes = [f"{tmp_path}/data", f"{tmp_path}/run"]
    supervisor = tmp_path / "supervisor.py"
    supervisor.write_text(SUPERVISOR)
    with subprocess.Popen([sys.executable, "-c", LAUNCHER, *homes, supervisor]) as launcher:
        eventually(lambda: stack.children(launcher.pid))
        launcher.kill()
    try:
        with ThreadPoolExecutor() as pool, open(os.open(log, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as said:
            pool.submit(stack.launch).result(30)
            assert launch.is_running(stack.home)
            assert said.read() is None, "the fork server has said something, and nothing is left to be said"
            log.unlink()
            log.touch()
    finally:
        stack.close()


def test_a_fork_server_that_cannot_start_says_why(tmp_path, tree):
    stack = Stack(tmp_path, tree)
    os.makedirs(f"{stack.home.run}/fork.sock")
    with pytest.raises(TemporaryError, match="could not start"):
        stack.launch()
    assert not launch.is_running(stack.home)
    assert "Is a directory" in Path(stack.home.supervisor_log).read_text()
