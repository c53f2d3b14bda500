"""Processes named for good, their ends learned by strangers, signals and capabilities by name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra.linux import process
from orchestra.linux.process import Process, parse_signal
from orchestra.linux.security import capabilities


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "60"]) as running:
        yield running
        running.kill()


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("SIGTERM", 15),
        ("term", 15),
        (" Int ", 2),
        ("9", 9),
        ("SIGRTMIN", signal.SIGRTMIN),
        ("SIGRTMIN+3", signal.SIGRTMIN + 3),
        ("RTMAX-1", signal.SIGRTMAX - 1),
        ("64", 64),
    ],
)
def test_signals_by_name(name, number):
    assert parse_signal(name) == number


@pytest.mark.parametrize(
    "name", ["", "0", "65", "SIG", "SIGNONSENSE", "TERM+1", "RTMIN+99", "RTMIN+", "-9", "SIG_DFL", "_IGN"]
)
def test_what_is_no_signal_is_refused(name):
    with pytest.raises(ValueError, match="no such signal"):
        parse_signal(name)


def test_a_process_is_alive_until_it_has_ended(sleeper):
    named = process.identify(sleeper.pid)
    assert process.is_alive(named)
    assert process.parent(sleeper.pid) == os.getpid()
    assert not process.is_alive(named._replace(start_time=named.start_time + 1))
    process.send_signal(named, signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not process.is_alive(named)
    with pytest.raises(ProcessLookupError):
        process.send_signal(named, 0)
    sleeper.wait()
    assert not process.is_alive(named)
    with pytest.raises(ProcessLookupError):
        process.open_pidfd(named)


def test_another_process_of_the_same_number_is_never_meant(sleeper):
    before = os.listdir("/proc/self/fd")
    for other in (Process(sleeper.pid, 1), Process(os.getpid(), 1)):
        with pytest.raises(ProcessLookupError):
            process.send_signal(other, signal.SIGKILL)
    assert sleeper.poll() is None
    assert os.listdir("/proc/self/fd") == before


def test_a_name_with_brackets_and_spaces_is_parsed():
    script = "import sys; open('/proc/self/comm', 'w').write(') R 1 ('); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-I", "-S", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        running.stdout.readline()
        assert process.is_alive(process.identify(running.pid))
        assert process.parent(running.pid) == os.getpid()
        running.stdin.close()


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -TERM $$", 143), ("exit 0", 0)])
def test_a_zombie_tells_how_it_ended(script, code):
    with subprocess.Popen(["sh", "-c", f"read line; {script}"], stdin=subprocess.PIPE) as running:
        named = process.identify(running.pid)
        pidfd = process.open_pidfd(named)
        running.stdin.close()
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        assert process.foreign_exit_code(named, pidfd) == code
        running.wait()
        # Reaped: newer kernels still know.
        assert process.foreign_exit_code(named, pidfd) in (code, None)
        os.close(pidfd)


def test_wait_statuses():
    assert process.exit_code(0) == 0
    assert process.exit_code(3 << 8) == 3
    assert process.exit_code(9) == process.exit_code(9 | 0x80) == 137


def test_closing_all_but_some():
    script = """
import os
from orchestra.linux import process
kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(9)][2::3]
process.close_all_except(kept)
print(sorted(int(n) for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")) == [0, 1, 2, *kept])
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "True\n"


def test_capabilities_by_name():
    sets = capabilities.Sets({"effective": ["CAP_CHOWN", "CAP_BPF"], "ambient": None, "bounding": ["CAP_X", "CAP_X"]})
    assert sets.effective == 1 | 1 << 39
    assert (sets.ambient, sets.bounding, sets.unknown) == (0, 0, ["CAP_X"])
    assert capabilities.NUMBERS["CAP_CHECKPOINT_RESTORE"] == 40
    assert capabilities.LAST <= 40
    lines = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":\t") for line in lines if line.startswith("Cap"))
    assert capabilities.held() == int(status["CapEff"], 16)
