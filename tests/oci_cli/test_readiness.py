"""sd_notify(3): what a program in a container says to the service manager that has started its runtime."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from tests.oci_cli.conftest import eventually


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "manager"))
        bound.settimeout(30)
        yield bound


def say(runtime, text):
    """As its program would: by the path that it is told, in its own root."""
    pid = runtime.state()["pid"]
    place = f"/proc/{pid}/root{runtime.path}/manager/notify"
    eventually(lambda: os.path.exists(place))
    assert stat.S_IMODE(os.stat(place).st_mode) == 0o777
    here = os.open(os.path.dirname(place), os.O_PATH)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as program:
        program.sendto(text, f"/proc/self/fd/{here}/notify")
    os.close(here)


def begin(runtime, *words, stdout=subprocess.DEVNULL):
    environment = {**os.environ, "NOTIFY_SOCKET": f"{runtime.path}/manager"}
    return subprocess.Popen([*runtime.command, *words], env=environment, stdout=stdout, text=True)


def is_running(runtime):
    return runtime("state", "c").returncode == 0 and runtime.status() == "running"


@pytest.mark.parametrize("words", [("start",), ("run", "--detach"), ("run",)])
def test_that_it_is_ready_is_passed_on_and_nothing_else(ours, manager, words):
    bundle = ours.bundle()
    bundle.write()
    ours.ids.add("c")
    where = ("--bundle", str(bundle.path))
    if words[0] == "start":
        assert begin(ours, "create", *where, "c").wait(30) == 0
        where = ()
    process = begin(ours, *words, *where, "c")
    eventually(lambda: is_running(ours))
    say(ours, b"MAINPID=1\nSTATUS=soon")
    assert process.poll() is None
    say(ours, b"STATUS=there\nREADY=1\n")
    assert manager.recv(100) == b"READY=1"
    if words == ("run",):
        ours.ok("kill", "c", "KILL")
    assert process.wait(30) == (137 if words == ("run",) else 0)
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)
    ours.ok("delete", "--force", "c")
    assert os.listdir(ours.root) == []


@pytest.mark.parametrize("words", [("run", "--detach"), ("run",)])
def test_a_program_that_ends_before_it_is_ready_is_not_waited_for(ours, manager, words):
    bundle = ours.bundle("sh", "-c", "echo $NOTIFY_SOCKET; ls $NOTIFY_SOCKET; : > ${NOTIFY_SOCKET}x")
    bundle.write()
    ours.ids.add("c")
    process = begin(ours, *words, "--bundle", str(bundle.path), "c", stdout=subprocess.PIPE)
    said, _ = process.communicate(timeout=30)
    assert said.split() == [f"{ours.path}/manager/notify"] * 2
    assert process.returncode == (0 if "--detach" in words else 1)


def test_without_a_manager_there_is_no_socket(ours):
    ours.bundle("sh", "-c", "echo $NOTIFY_SOCKET")
    assert ours.ok("run", "c") == "\n"
    assert not Path(ours.root, "c").exists()


def test_a_missing_manager_is_a_warning(ours, manager):
    bundle = ours.bundle()
    bundle.write()
    ours.ids.add("c")
    environment = {**os.environ, "NOTIFY_SOCKET": f"{ours.path}/manager"}
    words = [*ours.command, "run", "--detach", "--bundle", str(bundle.path), "c"]
    with open(ours.path / "said", "w") as said:
        process = subprocess.Popen(words, env=environment, stdout=said, stderr=said)
    eventually(lambda: is_running(ours))
    manager.close()
    say(ours, b"READY=1")
    assert process.wait(30) == 0
    assert "cannot report" in (ours.path / "said").read_text()
