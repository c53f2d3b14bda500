"""Containers that share the process of their shims: what one of them, or its disk, or its client does to the others."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from orchestra.container import wire
from orchestra.linux import process, unix_socket
from orchestra.linux.mounts import mount
from orchestra.linux.readiness import readable
from orchestra.shim import client
from tests.forking import fork
from tests.shim.conftest import Stack, eventually

WRITER = "while read line; do head -c 100000 /dev/zero | tr '\\0' x; echo; touch /tmp/$line; done"


class Neighbours:
    """One that does nothing and one that writes a lot whenever it is told to."""

    def __init__(self, stack, **keys) -> None:
        self.quiet = stack.container("sleep", "60", name="quiet")
        self.writer = stack.shell(WRITER, name="writer", stdin=True, **keys)
        self.quiet.run()
        self.writer.run()
        self.shim = self.quiet.shim
        assert self.writer.shim == self.shim

    def write(self, name):
        """Returns when it has written it all, to whoever reads."""
        Path(self.writer.directory, "stdin").write_text(f"{name}\n")
        eventually(lambda: Path(self.writer.directory, "upper/tmp", name).exists())

    def are_looked_after_as_before(self):
        return self.quiet.shim == self.writer.shim == self.shim


@contextmanager
def small_disk(path, kilobytes):
    """In place of a directory; filled by ``fill``."""
    path.mkdir(exist_ok=True)
    mount.mount("tmpfs", str(path), "tmpfs", 0, f"size={kilobytes}k")
    try:
        yield
    finally:
        mount.unmount(str(path), mount.MNT_DETACH)


def fill(path):
    with open(path, "wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_client_that_says_its_request_slowly_is_not_waited_for(stack):
    """However long it takes: what its neighbour writes goes on, and so does its request."""
    neighbours = Neighbours(stack)
    with unix_socket.connect(f"{neighbours.quiet.directory}/shim.sock") as client:
        for count, part in enumerate((b'{"op"', b":", b'"attach"', b"}"), 1):
            client.send(part)
            neighbours.write(f"line-{count}")
            eventually(lambda count=count: sum(map(len, neighbours.writer.texts("stdout"))) == count * 100_000)
        client.send(b"\n")
        assert client.recv(100) == b'{"terminal":false}\n'


@pytest.mark.parametrize("full", ["run", "data"])
def test_a_full_disk_ends_no_shim(tmp_path, tree, full):
    """Of sockets and records, or of logs and of what the stack's own processes have to say."""
    with small_disk(tmp_path / full, 512):
        stack = Stack(tmp_path, tree)
        stack.launch()
        try:
            neighbours = Neighbours(stack)
            fill(tmp_path / full / "filler")
            for number in range(3):
                neighbours.write(f"{number}")
            assert neighbours.are_looked_after_as_before()
        finally:
            (tmp_path / full / "filler").unlink()
            stack.close()


def test_an_end_that_cannot_be_recorded_is_left_to_another_process(tmp_path, tree):
    with small_disk(tmp_path / "run", 512):
        stack = Stack(tmp_path, tree)
        stack.launch()
        try:
            neighbours = Neighbours(stack)
            ending = stack.shell("read line; exit 3", name="ending", stdin=True)
            ending.run()
            fill(tmp_path / "run/filler")
            Path(ending.directory, "stdin").write_text("go\n")
            log = Path(stack.home.supervisor_log)
            eventually(lambda: log.read_text().count("No space left on device") >= 2)
            assert ending.state().exit is None
            neighbours.write("meanwhile")
            assert neighbours.are_looked_after_as_before()
        finally:
            (tmp_path / "run/filler").unlink()
        assert ending.wait().exit_code == 3
        assert ending.leftovers() == []
        log.write_text("")  # that there was no room
        stack.close()


def test_logs_that_cannot_be_rotated_end_no_shim(stack):
    neighbours = Neighbours(stack, log={"max_size": 65536, "max_file": 3})
    neighbours.write("once")
    shutil.rmtree(stack.home.logs)
    neighbours.write("lost")
    assert neighbours.are_looked_after_as_before()
    os.mkdir(stack.home.logs)
    neighbours.write("again")
    eventually(lambda: os.path.exists(neighbours.writer.log))
    assert neighbours.are_looked_after_as_before()


def test_a_process_of_shims_that_does_nothing_keeps_no_fork_server_waiting(stack):
    quiet = stack.container("sleep", "60", name="quiet")
    quiet.run()
    others = [stack.container("true", name=f"c{number}") for number in range(60)]
    os.kill(quiet.shim.pid, signal.SIGSTOP)
    with ExitStack() as connections:
        for container in others:
            connection = connections.enter_context(unix_socket.connect(stack.home.fork_socket))
            long_way = f"{os.path.dirname(container.directory)}{'/.' * 1500}/{container.name}"
            wire.send(connection, {"op": "run", "directory": long_way})
        try:
            with ThreadPoolExecutor() as pool:
                assert pool.submit(quiet.output_of, "true").result(30) == (0, "")
            assert others[-1].wait().exit_code == 0
        finally:
            os.kill(quiet.shim.pid, signal.SIGCONT)
        for container in others:
            assert container.wait().exit_code == 0


@pytest.fixture
def limited(tmp_path, tree):
    """A stack whose fork server is launched with limits of open files: soft, hard."""
    made = Stack(tmp_path, tree)

    def launch(*limits):
        pid = fork()
        if pid == 0:
            try:
                process.close_all_except([])  # there may be more already
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                made.launch()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
        return made

    yield launch
    made.close()


def test_the_descriptor_limit_is_raised_but_not_for_containers(limited):
    stack = limited(48, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    containers = [stack.shell("ulimit -n; sleep 60", name=f"c{number}") for number in range(20)]
    for container in containers:
        container.run()
        eventually(lambda container=container: container.texts("stdout") == ["48"])
    assert len({container.shim for container in containers}) == 1
    assert containers[0].output_of("sh", "-c", "ulimit -n") == (0, "48\n")


def test_where_descriptors_are_few_who_gets_none_is_told_and_nobody_else_notices(limited):
    stack = limited(80, 80)
    containers = [stack.shell("echo up; sleep 60", name=f"c{number}") for number in range(20)]
    server = stack.fork_server

    def run_all():
        for container in containers:
            container.run()

    with pytest.raises(OSError, match="Too many open files"):
        run_all()
    running = [container for container in containers if container.state().status is client.Status.RUNNING]
    assert len(running) >= 10
    assert len([container for container in running if container.shim == running[0].shim]) == 80 // 16
    for container in running:
        eventually(lambda container=container: container.texts("stdout") == ["up"])
        assert container.output_of("true") == (0, "")
    assert stack.fork_server == server


def test_clients_with_no_or_half_a_request_block_no_other(stack):
    """At the fork server: more of them than it looks after at a time. At a shim: they are let go of past a number."""
    container = stack.container("sleep", "60")
    container.run()
    idle = [unix_socket.connect(stack.home.fork_socket) for _ in range(200)]
    for connection in idle[::2]:
        with suppress(BrokenPipeError):  # let go of already
            connection.sendall(b'{"op": "exec", "directory')
    assert container.output_of("echo", "still here") == (0, "still here\n")
    assert all(readable(connection.fileno(), 20) for connection in idle)
    waiting = [unix_socket.connect(f"{container.directory}/shim.sock") for _ in range(100)]
    eventually(lambda: sum(readable(connection.fileno(), 0) for connection in waiting) >= 100 - 64)
    client.kill(container.directory, signal.SIGKILL)
    assert container.wait().exit_code == 137
    for connection in (*idle, *waiting):
        connection.close()
