"""OCI runtime specification, config-linux: "Seccomp", "The Container Process State"."""

from __future__ import annotations

import fcntl
import json
import os
import select
import socket
import struct
import threading

import pytest

from orchestra.linux import unix_socket
from orchestra.linux.security import libseccomp
from tests.oci_cli.conftest import OURS

pytestmark = pytest.mark.skipif(not libseccomp.is_installed(), reason="needs libseccomp")

NOTIF = struct.Struct("=QIIiIQ6Q")  # struct seccomp_notif with its struct seccomp_data
RESPONSE = struct.Struct("=QqiI")
RECV, SEND = 0xC0502100, 0xC0182101
ALLOWED = {"defaultAction": "SCMP_ACT_ALLOW"}
MKDIR = ["mkdir", "mkdirat"]


class Agent:
    """Who decides about calls: each container process state it was sent, and an errno as its answer to every call."""

    def __init__(self, path, answer=125) -> None:
        self.states, self.answer = [], answer
        self.over = os.eventfd(0)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.threads = [threading.Thread(target=self._serve)]
        self.threads[0].start()

    def _serve(self):
        while True:
            try:
                connection, _address = self.listener.accept()
            except OSError:
                return
            data, fds = unix_socket.receive(connection, 65536)
            self.states.append((json.loads(data), len(fds), connection))
            self.threads.append(threading.Thread(target=self._decide, args=(fds[0],)))
            self.threads[-1].start()

    def _decide(self, fd):
        buffer = bytearray(80)
        asked = select.poll()
        asked.register(fd, select.POLLIN)
        asked.register(self.over, select.POLLIN)
        while self.over not in dict(asked.poll()):
            try:
                buffer[:] = bytes(80)
                fcntl.ioctl(fd, RECV, buffer)
                fcntl.ioctl(fd, SEND, bytearray(RESPONSE.pack(NOTIF.unpack_from(buffer)[0], 0, -self.answer, 0)))
            except OSError:
                break  # every process whose calls it answers has ended
        os.close(fd)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        os.eventfd_write(self.over, 1)
        for thread in self.threads:
            thread.join()
        os.close(self.over)
        self.listener.close()
        for _state, _descriptors, connection in self.states:
            connection.close()


@pytest.fixture
def agent(tmp_path):
    made = Agent(str(tmp_path / "agent.sock"))
    yield made
    made.close()


def ask(bundle, agent, names=MKDIR, **keys):
    rules = [{"names": names, "action": "SCMP_ACT_NOTIFY"}]
    path = agent.listener.getsockname()
    bundle.linux["seccomp"] = {**ALLOWED, "syscalls": rules, "listenerPath": path, "listenerMetadata": "data", **keys}
    return bundle


def test_a_call_fails_as_the_profile_says(runtime):
    bundle = runtime.bundle("sh", "-c", "mkdir /tmp/x; echo goes on")
    rules = [{"names": MKDIR, "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]
    bundle.linux["seccomp"] = {**ALLOWED, "syscalls": rules}
    done = runtime("run", "c")
    assert done.stdout == "goes on\n"
    assert "No space left" in done.stderr


FLAGS = ("SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW")
REFUSED_BY_RUNC = pytest.mark.lacks(runc="1.1 refuses them")


@pytest.mark.parametrize("flags", [*(pytest.param([flag], marks=REFUSED_BY_RUNC) for flag in FLAGS), []])
def test_flags_of_the_filter_are_taken(runtime, flags):
    runtime.bundle("grep", "Seccomp:", "/proc/self/status").linux["seccomp"] = {
        **ALLOWED,
        "flags": flags,
        "syscalls": [{"names": MKDIR, "action": "SCMP_ACT_ERRNO"}],
    }
    assert runtime.ok("run", "c").split() == ["Seccomp:", "2"]


def test_an_unknown_flag_is_an_error(ours):
    ours.bundle().linux["seccomp"] = {**ALLOWED, "flags": ["SECCOMP_FILTER_FLAG_NONE"]}
    assert "SECCOMP_FILTER_FLAG_NONE is not known" in ours.fails("create", "c")


@pytest.mark.parametrize("no_new_privileges", [True, False])
@pytest.mark.parametrize("command", ["run", "start"])
def test_somebody_outside_decides_about_a_call(runtime, agent, command, no_new_privileges):
    bundle = ask(runtime.bundle("sh", "-c", "mkdir /tmp/x; echo goes on"), agent)
    bundle.process["noNewPrivileges"] = no_new_privileges
    if command == "run":
        done = runtime("run", "c")
        assert done.stdout == "goes on\n"
        assert os.strerror(agent.answer) in done.stderr
    else:
        runtime.ok("create", "c")
        runtime.ok("start", "c")
        runtime.stopped()
    ((state, descriptors, connection),) = agent.states
    assert state["fds"] == ["seccompFd"]
    assert descriptors == 1
    if runtime.name == OURS:  # runc 1.1 leaves it open
        assert connection.recv(1) == b"", "one state for a connection, which is closed then"
    assert state["metadata"] == "data"
    assert state["pid"] == state["state"]["pid"] > 0
    assert state["state"]["id"] == "c"
    assert state["state"]["bundle"] == str(bundle.path)
    assert state["state"]["status"] in ("creating", "created")
    assert state["state"]["annotations"] == {"org.example": "word"}
    assert state["ociVersion"].startswith("0.2" if runtime.name == "crun" else "1.")


@pytest.mark.lacks(crun="1.8 names no process then")
def test_somebody_outside_decides_about_an_executed_program(runtime, agent):
    ask(runtime.bundle(), agent)
    runtime.ok("run", "--detach", "c")
    done = runtime("exec", "c", "mkdir", "/tmp/x")
    assert os.strerror(agent.answer) in done.stderr
    first, executed = (state for state, _descriptors, _connection in agent.states)
    assert executed["pid"] != first["pid"]
    assert executed["state"]["pid"] == first["pid"]
    assert executed["state"]["status"] == "running"


def test_somebody_outside_decides_in_a_user_namespace(ours, agent):
    from tests.oci_cli.test_namespaces import mapped

    ask(mapped(ours, "mkdir", "/tmp/x"), agent)
    assert os.strerror(agent.answer) in ours("run", "c").stderr


@pytest.mark.parametrize("command", ["run", "start", "exec"])
def test_a_listener_that_is_not_there_is_an_error(ours, agent, command):
    bundle = ask(ours.bundle(), agent)
    if command == "exec":
        ours.ok("run", "--detach", "c")
        config = ours.root / "c/config.json"
        config.write_text(config.read_text().replace("agent.sock", "nobody.sock"))
        said = ours.fails("exec", "c", "true")
    else:
        bundle.linux["seccomp"]["listenerPath"] = "/nowhere"
        if command == "start":
            ours.ok("create", "c")
            said = ours.fails("start", "c")
            ours.stopped()
        else:
            said = ours.fails("run", "c")
    assert "no such file or directory" in said


def test_a_profile_that_cannot_be_answered_is_refused(ours, agent):
    ask(ours.bundle(), agent, names=["sendmsg"])
    assert "hands the listener over" in ours.fails("create", "c")
    ask(ours.bundle(), agent, defaultAction="SCMP_ACT_NOTIFY")
    assert "SCMP_ACT_NOTIFY can be neither" in ours.fails("create", "c")


def test_a_profile_without_a_listener_is_refused(ours, agent):
    del ask(ours.bundle(), agent).linux["seccomp"]["listenerPath"]
    assert "listenerPath" in ours.fails("create", "c")


def test_a_listener_that_is_asked_nothing_is_not_told(ours, agent):
    bundle = ours.bundle("true")
    bundle.linux["seccomp"] = {**ALLOWED, "listenerPath": agent.listener.getsockname()}
    ours.ok("run", "c")
    assert agent.states == []
