"""One more program in a running container."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from errno import EBUSY, ENOENT, ESRCH
from pathlib import Path

import pytest

from orchestra.container import execution, wire
from orchestra.container.directory import ContainerDirectory
from orchestra.linux import process, tty
from orchestra.linux.cgroup import freezer
from orchestra.linux.syscall import SystemCallError
from orchestra.shim import client
from tests.forking import fork
from tests.shim.conftest import NAMESPACES, eventually


@pytest.fixture
def running(stack):
    container = stack.container("sleep", "60")
    container.run()
    return container


def test_it_is_in_the_containers_namespaces_and_root(running):
    code, text = running.output_of("sh", "-c", "hostname; cat /etc/secret; ps -o args; readlink /proc/self/ns/net; pwd")
    lines = text.splitlines()
    assert code == 0
    assert lines[:2] == ["s-web-1", "secret"]
    assert "sleep 60" in lines
    assert lines[-2] == os.readlink(f"/proc/{running.state().pid}/ns/net")
    assert lines[-1] == "/"


def test_it_is_in_the_containers_cgroup(running):
    with running.execute("sleep", "60") as execution:
        assert {execution.pid, running.state().pid} <= {*running.cgroup.processes()}


def test_standard_streams_and_exit_code(running):
    in_reader, in_writer = os.pipe()
    out_reader, out_writer = os.pipe()
    err_reader, err_writer = os.pipe()
    stdio = [in_reader, out_writer, err_writer]
    with running.execute("sh", "-c", "cat; echo bad >&2; exit 3", stdio=stdio) as execution:
        for fd in stdio:
            os.close(fd)
        os.write(in_writer, b"through")
        os.close(in_writer)
        with os.fdopen(out_reader, "rb") as out, os.fdopen(err_reader, "rb") as err:
            assert (out.read(), err.read()) == (b"through", b"bad\n")
        assert execution.wait() == execution.wait() == 3


def test_a_signal_ends_it(running):
    with running.execute("sleep", "60") as execution:
        execution.signal(signal.SIGTERM)
        assert execution.wait() == 143
        with pytest.raises(ProcessLookupError):
            eventually(lambda: execution.signal(signal.SIGTERM))


def test_what_is_not_there_is_said(running):
    for program in ("nonsense", "/no/such"):
        with pytest.raises(SystemCallError, match=program) as caught:
            running.execute(program)
        assert caught.value.errno == ENOENT


def test_only_a_running_container_can_be_entered(stack):
    container = stack.container("true")
    with pytest.raises(SystemCallError, match="does not run") as caught:
        container.execute("true")
    assert caught.value.errno == ESRCH
    container.finish()
    with pytest.raises(SystemCallError, match="does not run"):
        container.execute("true")


def test_user_environment_and_directory_are_its_own(running):
    keys = {"user": {"uid": 1000, "gid": 1000}, "env": ["PATH=/bin", "X=y"], "cwd": "/tmp"}
    code, text = running.output_of("sh", "-c", "id -u; echo $X; pwd; grep CapEff /proc/self/status", **keys)
    assert (code, text.splitlines()[:3]) == (0, ["1000", "y", "/tmp"])
    assert int(text.split()[-1], 16) == 0


def test_a_missing_directory_is_not_made(running):
    for _twice in range(2):
        with pytest.raises(SystemCallError, match="chdir /no/such") as caught:
            running.execute("true", cwd="/no/such")
        assert caught.value.errno == ENOENT


def test_no_descriptor_of_ours_reaches_it(running):
    _code, text = running.output_of("sh", "-c", "for fd in /proc/$$/fd/*; do [ -e $fd ] && readlink $fd; done")
    assert len(text.splitlines()) == 3


def test_a_terminal(running):
    script = "tty; stty size; read x; echo got $x; exit 4"
    with running.execute("sh", "-c", script, terminal=True, consoleSize={"height": 20, "width": 90}) as execution:
        os.write(execution.terminal, b"word\n")
        output = b""
        while b"got word" not in output:
            output += os.read(execution.terminal, 4096)
        assert b"/dev/pts/" in output
        assert b"20 90" in output
        assert execution.wait() == 4


def test_a_terminal_can_be_resized_and_nothing_else(running):
    with running.execute("sleep", "60", terminal=True) as execution:
        execution.resize(11, 22)
        assert tty.get_size(execution.terminal) == (11, 22)
    with running.execute("sleep", "60") as execution, pytest.raises(OSError, match="no terminal"):
        execution.resize(1, 1)


def test_what_is_tied_is_killed_with_its_children_when_it_is_abandoned(running):
    execution = running.execute("sh", "-c", "sleep 61 & sleep 62; true", tied=True)
    eventually(lambda: len(running.cgroup.processes()) == 4)
    execution.close()
    eventually(lambda: running.cgroup.processes() == [running.state().pid])


def test_what_is_not_tied_goes_on(running):
    execution = running.execute("sleep", "62")
    program = process.identify(execution.pid)
    execution.close()
    assert running.output_of("true")[0] == 0
    assert process.is_alive(program)
    running.delete()
    assert not process.is_alive(program)


def test_it_ends_with_its_container(running):
    with running.execute("sleep", "63") as execution:
        running.delete()
        assert execution.wait() == 137


@pytest.mark.parametrize("step", ["load_filter", "joined", "parse_process"])
def test_a_container_that_ends_on_its_way_does_not_run(stack, monkeypatch, step):
    """Also one that shares a namespace with us: whether it does is looked up in /proc."""
    running = stack.container(
        "sleep", "60", linux={"namespaces": [{"type": kind} for kind in NAMESPACES if kind != "network"]}
    )
    running.run()
    as_ever = getattr(execution, step)

    def end(*args):
        os.kill(running.state().pid, signal.SIGKILL)
        eventually(lambda: not Path(f"/proc/{running.state().pid}").exists())
        return as_ever(*args)

    monkeypatch.setattr(execution, step, end)
    requester, connection = socket.socketpair()
    with requester, connection, open("/dev/null", "r+b") as null:
        description = {**running.config["process"], "args": ["true"]}
        pid = fork()
        if pid == 0:
            try:
                requester.close()
                streams = [os.dup(null.fileno()) for _number in range(3)]
                execution.execute(
                    ContainerDirectory(str(running.directory)), description, streams, connection, tied=False
                )
            finally:
                os._exit(1)
        connection.close()
        requester.settimeout(60)
        answers = b"".join(iter(lambda: requester.recv(65536), b""))
        assert os.waitpid(pid, 0) == (pid, 0)
    assert wire.decode(answers)["error"]["errno"] == ESRCH


def test_many_at_once(running):
    executions = [running.execute("sh", "-c", f"exit {number}") for number in range(20)]
    assert [execution.wait() for execution in executions] == list(range(20))
    for each in executions:
        each.close()


HOLDING = "while :; do kill -STOP -1; done"


def entering(container):
    """Processes on their way into a container that stops them there: as the machine sees them."""
    own = os.readlink(f"/proc/{container.state().pid}/ns/pid")
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(path / "ns/pid") == own and process.is_stopped(int(path.name)):
                found.append(int(path.name))
    return found


def hold(container, *args):
    with open("/dev/null", "r+b") as null:
        description = {**container.config["process"], "args": list(args)}
        stdio = [null.fileno()] * 3
        # Tied, as all are whose requester waits for them: a slow container stops the program itself, after its start.
        return client.enter(container.stack.home.fork_socket, container.directory, description, stdio, tied=True)


def test_what_hangs_up_takes_back_a_program_that_the_container_has_stopped_on_its_way(stack):
    container = stack.shell(HOLDING)
    container.run()
    children = stack.children()
    for _ in range(3):
        with hold(container, "sleep", "1000"):
            eventually(lambda: entering(container))
        eventually(lambda: not entering(container))
    eventually(lambda: stack.children() == children)


def test_what_hangs_up_before_it_is_told_that_the_program_runs_takes_it_back(stack):
    """The process that would tell is slow: the program runs already when it learns both."""
    container = stack.shell(f"{HOLDING.replace(':', '[ ! -e /tmp/go ]')}; kill -CONT -1; exec sleep 1001")
    container.run()
    children = stack.children()
    with hold(container, "sleep", "1000"):
        program = eventually(lambda: entering(container))[0]
        slow = process.open_pidfd(process.identify(*(set(stack.children()) - set(children))))
        signal.pidfd_send_signal(slow, signal.SIGSTOP)
        Path(f"/proc/{container.state().pid}/root/tmp/go").touch()
        running = process.identify(program)
        eventually(lambda: Path(f"/proc/{program}/cmdline").read_bytes() == b"sleep\x001000\0")
    signal.pidfd_send_signal(slow, signal.SIGCONT)
    os.close(slow)
    eventually(lambda: not process.is_alive(running))
    eventually(lambda: stack.children() == children)


def test_a_program_on_its_way_shows_nothing_of_the_machine(stack):
    """proc_pid_cmdline(5) and proc_pid_comm(5) are open to all, environ to those who may trace."""
    container = stack.shell(HOLDING)
    container.run()
    with hold(container, "sleep", "1000"):
        pid = eventually(lambda: entering(container))[0]
        shown = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0")
        assert shown in (b"orchestra-exec", b"sleep\x001000")  # a slow container stops it only later
        assert set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")) <= {b"", b"PATH=/usr/bin", b"HOME=/root"}


def test_a_paused_container_takes_no_program(running):
    group = Path(running.cgroup.directory("freezer"))
    made = not group.exists()  # version 1 has a hierarchy of its own for this
    if made:
        group.mkdir(parents=True)
        (group / "cgroup.procs").write_text(str(running.state().pid))
    freezer.freeze(running.cgroup)
    try:
        with pytest.raises(SystemCallError, match="is paused") as caught:
            running.execute("true")
        assert caught.value.errno == EBUSY
    finally:
        freezer.thaw(running.cgroup)
    assert running.output_of("echo", "on")[1] == "on\n"
    if made:
        client.kill(running.directory, signal.SIGKILL)
        running.wait()
        for directory in (group, group.parent, group.parent.parent):
            with contextlib.suppress(OSError):  # another has removed it, or uses it
                directory.rmdir()
