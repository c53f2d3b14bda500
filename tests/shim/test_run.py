"""Containers from their creation to their end."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from errno import EALREADY, ENOENT
from pathlib import Path

import pytest

from orchestra.container import wire
from orchestra.linux import unix_socket
from orchestra.linux.syscall import SystemCallError
from orchestra.shim import client
from orchestra.shim.client import Status
from tests.shim.conftest import eventually


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_the_exit_code_is_recorded(stack, code):
    container = stack.container("sh", "-c", f"exit {code}")
    before = container.state()
    started = container.run()
    ended = container.wait()
    assert before.status is Status.ABSENT
    assert started.warnings == ()
    assert ended.exit_code == code
    assert not ended.oom_killed
    assert 0 < ended.started_at <= ended.finished_at
    assert container.state() == client.State(Status.STOPPED, 0, ended.started_at, ended)
    assert container.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_a_signal_ends_it_with_its_number_and_128(stack, number):
    container = stack.shell(f"trap 'exit {128 + number}' HUP TERM; echo ready; while :; do sleep 0.01; done")
    started = container.run()
    eventually(lambda: container.texts("stdout"))
    assert container.state()[:2] == (Status.RUNNING, started.pid)
    client.kill(container.directory, number)
    assert container.wait().exit_code == 128 + number
    with pytest.raises(ProcessLookupError):
        client.kill(container.directory, signal.SIGTERM)


def test_create_waits_for_start(stack):
    container = stack.shell("echo started")
    created = container.create()
    state = container.state()
    assert (state.status, state.pid, state.started_at) == (Status.CREATED, created.pid, 0.0)
    assert Path(f"/proc/{created.pid}/root/etc/secret").exists()
    assert container.texts("stdout") == []
    started = client.start(container.directory)
    assert started.pid == created.pid
    assert container.wait().exit_code == 0
    assert container.texts("stdout") == ["started"]


def test_what_has_been_started_cannot_be_started_again(stack):
    container = stack.container("sleep", "60")
    container.run()
    for again in (container.run, container.create, lambda: client.start(container.directory)):
        with pytest.raises(SystemCallError) as caught:
            again()
        assert caught.value.errno == EALREADY
    container.delete()
    assert container.state().exit.exit_code == 137


def test_a_container_can_be_run_again(stack):
    container = stack.shell("echo once >> /file; wc -l < /file")
    assert [container.finish() for _ in range(3)] == [["1"], ["1", "2"], ["1", "2", "3"]]


def test_a_created_container_that_is_killed_leaves_nothing(stack):
    container = stack.container("sleep", "60")
    container.create()
    client.kill(container.directory, signal.SIGKILL)
    eventually(lambda: container.state().status is Status.ABSENT)
    container.delete()
    assert container.leftovers() == []


def test_delete_ends_what_is_just_being_made(stack):
    container = stack.container("sleep", "60")
    for number in range(20):
        with ThreadPoolExecutor() as pool:
            running = pool.submit(container.run)
            time.sleep(number / 1000)
            container.delete()
            with suppress(OSError):
                running.result(30)
        container.delete()  # what was only asked for before
        assert container.state().status in (Status.ABSENT, Status.STOPPED)
        assert container.leftovers() == []


def test_delete_ends_what_has_been_made_while_it_looked(stack, monkeypatch):
    """Its record appears between two looks: then it must not wait for the end of what it has not killed."""
    container = stack.container("sleep", "600")
    container.run()
    record, hidden = Path(container.directory, "state.json"), Path(container.directory, "hidden")
    record.rename(hidden)
    shim_alive = client.shim_alive

    def shim_alive_and_its_work_done(directory):
        if hidden.exists():
            hidden.rename(record)
        return shim_alive(directory)

    monkeypatch.setattr(client, "shim_alive", shim_alive_and_its_work_done)
    container.delete()
    assert container.leftovers() == []


def test_delete_ends_what_runs_and_may_be_repeated(stack):
    container = stack.shell("trap '' TERM; sleep 60 & sleep 60 & wait")
    container.run()
    for _ in range(2):
        container.delete()
        assert container.leftovers() == []
    assert container.state().status is Status.STOPPED


def test_a_run_can_be_waited_for(stack):
    container = stack.shell("read line; exit 3", stdin=True)
    assert client.wait(container.directory) is None
    container.run()
    assert client.wait(container.directory, 0.05) is None
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.wait, container.directory)
        Path(container.directory, "stdin").write_text("go\n")
        assert waiting.result(30).exit_code == 3
    assert client.wait(container.directory).exit_code == 3


def test_its_record_is_there_before_the_program_runs(stack):
    container = stack.shell("cat /bundle/state.json; ls /bundle")
    container.config["mounts"].append(
        {"destination": "/bundle", "type": "bind", "source": container.directory, "options": ["bind", "ro"]}
    )
    container.write()
    output = "".join(container.finish())
    assert json.loads(output[: output.index("}") + 1])["started_at"] > 0
    assert "exit.json" not in output


FAILURES = {
    "no such program": (lambda c: c["process"].update(args=["nonsense"]), ENOENT, "nonsense"),
    "no such path": (lambda c: c["process"].update(args=["/no/such"]), ENOENT, "/no/such"),
    "not executable": (lambda c: c["process"].update(args=["/etc/secret"]), 13, "/etc/secret"),
    "bind source": (
        lambda c: c["mounts"].append({"destination": "/x", "type": "bind", "source": "/no/source"}),
        ENOENT,
        "/no/source",
    ),
    "file system": (lambda c: c["mounts"].append({"destination": "/x", "type": "nofs"}), 19, "/x"),
    "sysctl": (lambda c: c["linux"].update(sysctl={"net.no.such": "1"}), ENOENT, "net.no.such"),
    "network": (
        lambda c: c["linux"].update(namespaces=[{"type": "mount"}, {"type": "network", "path": "/no/net"}]),
        ENOENT,
        "/no/net",
    ),
    "no mount namespace": (lambda c: c["linux"].update(namespaces=[{"type": "pid"}]), 22, "linux.namespaces"),
    "user namespace": (
        lambda c: c["linux"]["namespaces"].append({"type": "user"}),
        22,
        "uidMappings",
    ),
    "memory": (lambda c: c["linux"].update(resources={"memory": {"limit": "much"}}), 22, "memory"),
    "no process": (lambda c: c.pop("process"), 22, ""),
    "no arguments": (lambda c: c["process"].update(args=[]), 22, ""),
}


@pytest.mark.parametrize("operation", ["run", "create"])
@pytest.mark.parametrize("what", FAILURES)
def test_what_cannot_be_made_says_why_and_leaves_nothing(stack, what, operation):
    change, number, subject = FAILURES[what]
    container = stack.container("sleep", "60")
    change(container.config)
    container.write()
    with pytest.raises(SystemCallError) as caught:
        getattr(container, operation)()
    assert caught.value.errno == number, caught.value
    assert subject in str(caught.value)
    assert container.state().status is Status.ABSENT
    assert container.leftovers() == []
    assert not {"state.json", "shim.pid", "exit.json"} & {*os.listdir(container.directory)}


@pytest.mark.parametrize("file", ["config.json", "shim.json"])
def test_an_incomplete_bundle_is_refused(stack, file):
    container = stack.container("true")
    for content in (None, "{"):
        if content is None:
            os.unlink(f"{container.directory}/{file}")
        else:
            Path(container.directory, file).write_text(content)
        with pytest.raises(OSError, match=r".") as caught:
            container.run()
        assert not isinstance(caught.value, ConnectionResetError)
        assert container.leftovers() == []
    container.write()
    container.finish()


def test_a_log_that_cannot_be_written_fails_the_creation(stack):
    container = stack.container("sleep", "60")
    container.settings["log"]["path"] = "/no/such/place/log"
    container.write()
    with pytest.raises(SystemCallError, match="/no/such/place"):
        container.run()
    assert container.leftovers() == []


def test_a_root_that_cannot_be_mounted_fails_the_creation(stack):
    container = stack.container("sleep", "60")
    container.settings["rootfs"][0]["options"][0] = "lowerdir=/no/such/layer"
    container.write()
    for _ in range(5):
        with pytest.raises(SystemCallError) as caught:
            container.run()
        assert "mount overlay" in str(caught.value)
    assert container.leftovers() == []


def test_nonsense_on_the_socket_is_answered(stack):
    for line in (b"{}\n", b"nonsense\n", b"[]\n", b'{"op": "dance", "directory": "/"}\n'):
        with unix_socket.connect(stack.home.fork_socket) as connection:
            connection.sendall(line)
            assert "error" in wire.receive(connection)[0]
    stack.container("true").finish()
