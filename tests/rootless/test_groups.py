"""Control groups of users: real ones of version 2, and a socket that answers as a user's systemd does."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from pathlib import Path

import pytest

from orchestra.linux import cgroup, unix_socket
from orchestra.linux.cgroup.joining import group_of
from orchestra.linux.systemd.dbus import Reader, Variant, marshal
from orchestra.rootless import groups
from orchestra.rootless.scope import scope_of
from tests import run
from tests.forking import fork

ROOT = cgroup.machine_hierarchy().v2
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a group over to a user"),
    pytest.mark.skipif(not ROOT, reason="needs control groups of version 2"),
]
CALL, RETURN, SIGNAL = 1, 2, 4


@pytest.fixture
def above(monkeypatch):
    """A group that stands for that of user@.service; the machine looks as if it had version 2 alone."""
    monkeypatch.setattr(cgroup, "_machine", [cgroup.Hierarchy({}, ROOT)])
    path = f"/orchestra-{run.word()}"
    os.mkdir(f"{ROOT}{path}")
    yield path
    for directory, _, _ in os.walk(f"{ROOT}{path}", topdown=False):
        os.rmdir(directory)


def message(kind, reply_to, signature, *values, member=""):
    fields = [(5, Variant("u", reply_to))] if reply_to else [(3, Variant("s", member))]
    body = marshal(signature, values)
    head = marshal("yyyyuua(yv)", (ord("l"), kind, 0, 1, len(body), 1, [*fields, (8, Variant("g", signature))]))
    return bytes(head + bytes(-len(head) % 8) + body)


def answer_as_systemd(listener, above):
    """One conversation: the caller is put into the scope that it asks for."""
    connection, _ = listener.accept()
    with connection:
        pid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        assert connection.recv(4096) == b"\0AUTH EXTERNAL\r\nDATA\r\n"
        connection.sendall(b"DATA\r\nOK 0123\r\n")
        assert connection.recv(7, socket.MSG_WAITALL) == b"BEGIN\r\n"
        while data := connection.recv(1 << 16):
            serial, fields = struct.unpack_from("<II", data, 8)
            body = data[16 + fields + -fields % 8 :]
            if b"StartTransientUnit" in data:
                name, mode, properties = Reader(body).read("ssa(sv)")
                assert mode == "fail"
                assert ("Delegate", True) in properties
                scope = Path(f"{ROOT}{above}/{name}")
                scope.mkdir()
                (scope / "cgroup.procs").write_text(str(pid))
                connection.sendall(message(RETURN, serial, "o", "/job/1"))
                connection.sendall(message(SIGNAL, 0, "uoss", 1, "/job/1", name, "done", member="JobRemoved"))
            else:
                connection.sendall(message(RETURN, serial, "s", ""))


def in_child(function):
    """What it returns, in a process that may change its group."""
    reader, writer = os.pipe()
    pid = fork()
    if pid == 0:
        try:
            os.write(writer, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as file:
        text = file.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def test_the_users_systemd_delegates_a_scope_which_every_later_process_enters(tmp_path, above, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "systemd").mkdir()
    directory = str(tmp_path)
    with unix_socket.listen(f"{tmp_path}/systemd/private") as listener:
        systemd = threading.Thread(target=answer_as_systemd, args=(listener, above), daemon=True)
        systemd.start()
        told = in_child(lambda: [groups.establish(directory, 1000), group_of("self")])
        systemd.join(60)
    scope = f"{above}/{scope_of(directory)}"
    assert told == ["", f"{scope}/{groups.KEEPERS}"]
    assert groups.find_parent(directory) == scope
    assert groups.is_a_scope(directory)
    there = Path(f"{ROOT}{scope}/cgroup.controllers").read_text().split()
    assert set(groups.missing_controllers(directory)) == groups.CONTROLLERS - set(there)
    assert not groups.is_below(scope)

    def enter():
        groups.enter(directory, 1000)
        return [groups.is_below(scope), groups.is_below(f"{scope}x"), groups.establish(directory, 1000)]

    assert in_child(enter) == [True, False, ""]
    os.rmdir(f"{ROOT}{scope}/{groups.KEEPERS}")
    os.rmdir(f"{ROOT}{scope}")
    assert groups.find_parent(directory) is None


def test_a_group_that_was_made_over_serves_where_there_is_no_systemd(tmp_path, above, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    os.mkdir(f"{ROOT}{above}/below")

    def establish():
        Path(f"{ROOT}{above}/below/cgroup.procs").write_text(str(os.getpid()))
        return [groups.lack(1000), groups.establish(str(tmp_path), 1000), group_of("self")]

    assert in_child(establish) == ["", "", f"{above}/below"]
    assert groups.find_parent(str(tmp_path)) == above
    assert not groups.is_a_scope(str(tmp_path))


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(cgroup, "_machine", [cgroup.Hierarchy({"memory": "/sys/fs/cgroup/memory"}, "")])
    assert groups.establish(str(tmp_path), 1000) == groups.lack(1000) == groups.V1
