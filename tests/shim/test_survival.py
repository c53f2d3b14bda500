"""Killed shims and killed fork servers: containers go on, logs are whole, exit codes are known."""

from __future__ import annotations

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from orchestra.linux import process
from orchestra.shim import client, launch
from orchestra.shim.client import Status
from tests import census
from tests.shim.conftest import Stack, eventually
from tests.shim.test_streams import Attached

TELLS_FOREIGN_EXITS = tuple(int(word) for word in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 15)


def line_after_line(count):
    return f"i=0; while [ $i -lt {count} ]; do i=$((i+1)); echo line $i; done; exit 7"


def another_shim(container, before):
    """The shim that has replaced ``before``."""

    def found():
        try:
            return container.shim if container.shim != before and client.shim_alive(container.directory) else None
        except FileNotFoundError:
            return None

    return eventually(found)


def test_a_shim_killed_at_rest_is_replaced_and_the_container_goes_on(stack):
    container = stack.shell("trap 'echo bye; exit 9' TERM; echo hello; while :; do sleep 0.01; done")
    pid = container.run().pid
    eventually(lambda: container.texts("stdout"))
    before = container.shim
    container.kill_shim()
    another_shim(container, before)
    assert container.state()[:2] == (Status.RUNNING, pid)
    client.kill(container.directory, signal.SIGTERM)
    assert container.wait().exit_code == 9
    assert container.texts("stdout") == ["hello", "bye"]
    assert container.leftovers() == []


def test_a_shim_killed_with_its_container_still_knows_the_exit_code(stack):
    """Shim and container end in the same moment, in either order."""
    for number in range(5):
        container = stack.shell("trap 'exit 9' TERM; echo up; while :; do sleep 0.001; done", name=f"c{number}")
        container.run()
        eventually(lambda container=container: container.texts("stdout"))
        shim = container.shim
        both = [(shim, signal.SIGKILL), (process.identify(container.state().pid), signal.SIGTERM)]
        for victim, how in both if number % 2 else reversed(both):
            with suppress(ProcessLookupError):  # the shim of a container that has ended ends soon
                process.send_signal(victim, how)
        assert container.wait().exit_code == 9
        assert container.leftovers() == []
        # Until the fork server has reaped it, it asks this process for the next container.
        eventually(lambda shim=shim: not os.path.exists(f"/proc/{shim.pid}"))


def shim_of(container):
    """None when the run is over, which may be between any two looks."""
    try:
        return container.shim
    except FileNotFoundError:
        return None


def test_no_line_is_lost_or_doubled_while_shims_are_killed(stack):
    container = stack.container("sh", "-c", line_after_line(50_000))
    pid = container.run().pid
    killed = 0
    while killed < 8 and (shim := shim_of(container)):
        size = container.log.stat().st_size
        eventually(lambda size=size: container.log.stat().st_size > size or container.state().exit)
        try:
            process.send_signal(shim, signal.SIGKILL)
        except ProcessLookupError:
            break
        killed += 1
        eventually(lambda shim=shim: shim_of(container) != shim)
        assert container.state().pid in (pid, 0)
    assert killed >= 3
    assert container.wait().exit_code == 7
    assert container.texts("stdout") == [f"line {number}" for number in range(1, 50_001)]


def attach(container):
    """None while the shim that takes over does not listen yet."""
    try:
        return Attached(container)
    except (FileNotFoundError, ConnectionRefusedError):
        return None


def test_shims_that_share_a_process_are_each_replaced(stack):
    script = "trap 'echo bye; exit {}' TERM; echo hello; while :; do sleep 0.01; done"
    containers = [stack.shell(script.format(number), name=f"c{number}") for number in (3, 4, 5)]
    for container in containers:
        container.run()
        eventually(lambda container=container: container.texts("stdout"))
    (before,) = {container.shim for container in containers}
    containers[0].kill_shim()
    after = {another_shim(container, before) for container in containers}
    assert len(after) == 3
    # Whoever is made now has nothing to do with those, or with whatever ended their first process.
    fresh = stack.container("sleep", "60", name="fresh")
    fresh.run()
    assert fresh.shim not in {before, *after}
    for number, container in enumerate(containers, 3):
        client.kill(container.directory, signal.SIGTERM)
        assert container.wait().exit_code == number
        assert container.texts("stdout") == ["hello", "bye"]
        assert container.leftovers() == []
    assert fresh.state().status is Status.RUNNING


def test_a_new_fork_server_learns_of_the_end_of_one_shim_of_many(stack):
    """The process of the others lives on, so its end says nothing."""
    containers = [stack.shell("read line; exit 3", stdin=True, name=f"c{number}") for number in range(2)]
    for container in containers:
        container.run()
    shim = containers[1].shim
    stack.kill_fork_server()
    stack.launch()
    Path(containers[0].directory, "stdin").write_text("go\n")
    assert containers[0].wait().exit_code == 3
    containers[0].run()  # the fork server knows that its directory is free
    assert containers[1].state().status is Status.RUNNING
    assert containers[1].shim == shim


def zygote(stack, container):
    """The child of the process of shims that is no container's first process.

    One of those has its program's name only a moment after ``run`` has returned.
    """

    def found():
        pids = stack.children(container.shim.pid)
        return [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text() == "orchestra-fork\n"]

    (pid,) = eventually(lambda: len(found()) == 1 and found())
    return pid


def test_a_killed_zygote_is_replaced_when_it_is_wanted(stack):
    first, second = (stack.shell("read line; exit 3", stdin=True, name=name) for name in ("first", "second"))
    first.run()
    before = zygote(stack, first)
    os.kill(before, signal.SIGKILL)
    eventually(lambda: before not in stack.children(first.shim.pid))
    second.run()
    assert first.shim == second.shim
    assert zygote(stack, second) != before
    for container in (first, second):
        Path(container.directory, "stdin").write_text("go\n")
        assert container.wait().exit_code == 3


def descriptors_of(pid, directory):
    """What a process has open below a directory."""
    found = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            found += [target] if (target := os.readlink(entry.path)).startswith(directory) else []
    return found


@pytest.mark.parametrize("victim", ["zygote", "shims"])
def test_what_was_about_to_be_forked_is_given_up(stack, victim):
    settled, container = stack.container("sleep", "60", name="settled"), stack.container("sleep", "60")
    settled.run()
    shims, forking = settled.shim.pid, zygote(stack, settled)
    os.kill(forking, signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        starting = pool.submit(container.run)
        # The fork server has been handed the streams: that is the last thing before the container is waited for.
        eventually(lambda: descriptors_of(stack.fork_server.pid, container.directory))
        os.kill(forking if victim == "zygote" else shims, signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.kill(forking, signal.SIGCONT)
        with pytest.raises(OSError, match=r"killed while|without an answer|reset by peer"):
            starting.result(30)
    eventually(lambda: container.state().status is Status.ABSENT and container.leftovers() == [])
    container.run()
    assert container.state().status is Status.RUNNING
    assert settled.state().status is Status.RUNNING


@pytest.mark.fuzz
@pytest.mark.parametrize("victim", ["orchestra-shim", "orchestra-fork"])
def test_killed_at_any_moment_of_a_creation_they_leave_what_can_be_removed(stack, victim):
    """The process of the shims, or the zygote that it has just forked."""
    chance = random.Random(victim)
    settled, container = stack.container("sleep", "60", name="settled"), stack.shell("echo up; sleep 60")
    settled.run()
    begin = time.monotonic()
    container.run()
    span = (time.monotonic() - begin) * 2
    container.delete()
    outcomes = set()
    for number in range(60):
        if number % 10 == 0:  # now and then one that has been there for long
            before = settled.shim
            settled.kill_shim()
            another_shim(settled, before)
        known = {*stack.children()}
        with ThreadPoolExecutor() as pool:
            starting = pool.submit(container.run)

            def victims(known=known):
                shims = named(stack.children(), "orchestra-shim") - known
                return shims if victim == "orchestra-shim" else named(children_of(stack, shims), victim)

            eventually(lambda starting=starting, victims=victims: victims() or starting.done())
            time.sleep(chance.uniform(0, span))
            end(victims())
            try:
                starting.result(30)
                outcomes.add("made")
            except OSError:
                outcomes.add("refused")
        eventually(lambda: container.state().status is not Status.CREATING)
        container.delete()
        eventually(lambda: container.leftovers() == [])
        assert settled.state().status is Status.RUNNING
        end(named(stack.children(), "orchestra-shim") - {settled.shim.pid})
        eventually(lambda: named(stack.children(), "orchestra-shim") <= {settled.shim.pid})
    assert outcomes == {"made", "refused"}


def end(pids):
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def children_of(stack, parents):
    found = set()
    for parent in parents:
        with suppress(FileNotFoundError):
            found.update(stack.children(parent))
    return found


def named(pids, name):
    """Those of the processes that still have this name, and belong to nobody else by now."""
    found = set()
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            found |= {pid} if Path(f"/proc/{pid}/comm").read_text() == f"{name}\n" else set()
    return found


def test_a_terminal_survives_its_shim(stack):
    container = stack.shell("echo up; while read line; do echo got $line; done", terminal=True, stdin=True)
    container.run()
    eventually(lambda: container.texts("stdout"))
    before = container.shim
    container.kill_shim()
    another_shim(container, before)
    with eventually(lambda: attach(container)) as one:
        assert one.terminal >= 0
        one.send(b"word\n")
        one.until(b"got word")
    assert container.state().status is Status.RUNNING


def test_a_created_container_whose_shim_is_killed_is_gone(stack):
    container = stack.container("sleep", "60")
    container.create()
    container.kill_shim()
    eventually(lambda: container.state().status is Status.ABSENT and container.leftovers() == [])
    container.run()
    assert container.state().status is Status.RUNNING


def test_without_its_fork_server_a_container_goes_on_and_ends_in_order(stack):
    container = stack.shell("trap 'exit 9' TERM; echo up; while :; do sleep 0.01; done")
    pid = container.run().pid
    eventually(lambda: container.texts("stdout"))
    stack.kill_fork_server()
    assert not launch.is_running(stack.home)
    assert container.state()[:2] == (Status.RUNNING, pid)
    client.kill(container.directory, signal.SIGTERM)
    assert container.wait().exit_code == 9
    assert container.leftovers() == []


def test_another_fork_server_adopts_what_lives(stack):
    container = stack.shell("trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.01; done")
    pid = container.run().pid
    shim = container.shim
    eventually(lambda: container.texts("stdout"))
    stack.kill_fork_server()
    stack.launch()
    assert container.shim == shim
    assert container.output_of("echo", "hello") == (0, "hello\n")
    with pytest.raises(OSError, match="its shim is running"):
        container.run()
    container.kill_shim()
    another_shim(container, shim)
    assert container.state()[:2] == (Status.RUNNING, pid)
    client.kill(container.directory, signal.SIGTERM)
    assert container.wait().exit_code == (9 if TELLS_FOREIGN_EXITS else None)
    assert container.texts("stdout") == ["up", "bye"]


def test_both_killed_the_container_goes_on_and_is_adopted(stack):
    script = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo $i; [ $i != 1000 ] || read line; done; exit 5"
    container = stack.shell(script, stdin=True)
    pid = container.run().pid
    eventually(lambda: "1000" in container.texts("stdout"))
    shim = container.shim
    stack.kill_fork_server()
    process.send_signal(shim, signal.SIGKILL)
    eventually(lambda: not process.is_alive(shim))
    assert container.state()[:2] == (Status.RUNNING, pid)
    stack.launch()
    with eventually(lambda: attach(container)) as one:
        one.send(b"go on\n")
        one.until(b"\n2000\n")
    assert container.wait().exit_code == (5 if TELLS_FOREIGN_EXITS else None)
    assert container.texts("stdout") == [str(number) for number in range(1, 2001)]
    assert container.leftovers() == []


def test_what_ended_while_nobody_looked_is_recorded_by_the_next(stack):
    container = stack.shell("read line; echo last words; exit 5", stdin=True)
    container.run()
    keeper = os.open(f"{container.directory}/stdin", os.O_RDWR | os.O_NONBLOCK)
    shim = container.shim
    stack.kill_fork_server()
    process.send_signal(shim, signal.SIGKILL)
    first = client.state(container.directory)
    os.write(keeper, b"go\n")
    os.close(keeper)
    eventually(lambda: not Path(f"/proc/{first.pid}").exists())
    assert container.state() == client.State(Status.STOPPED, 0, first.started_at, None)
    stack.launch()
    ended = container.wait()
    assert ended.exit_code is None
    assert ended.started_at == first.started_at
    assert container.leftovers() == []


def test_deleting_works_without_a_fork_server(stack):
    container = stack.shell("trap '' TERM; sleep 60 & sleep 60")
    container.run()
    shim = container.shim
    stack.kill_fork_server()
    process.send_signal(shim, signal.SIGKILL)
    for _ in range(2):
        container.delete()
        assert container.leftovers() == []
    assert container.state().status is not Status.RUNNING


def test_the_supervisor_is_started_again_ever_more_slowly(tmp_path, tree):
    stack = Stack(tmp_path, tree)
    stack.launch("import os, time; os.write(1, f'at {time.monotonic()}\\n'.encode()); os._exit(3)")
    try:
        log = Path(stack.home.supervisor_log)

        def moments():
            return [float(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("at ")]

        found = eventually(lambda: len(moments()) >= 5 and moments()[:5])
        gaps = [after - before for before, after in pairwise(found)]
        assert gaps[1] >= 0.05
        assert gaps[2] >= 0.1
        assert gaps[3] >= 0.2
        assert "supervisor ended (3)" in log.read_text()
    finally:
        stack.kill_fork_server()


def test_a_supervisor_has_the_signals_of_an_interpreter_and_no_descriptors_of_the_fork_server(tmp_path, tree):
    program = """
import os, signal
reader, writer = os.pipe()
os.close(reader)
try:
    os.write(writer, b"without a reader")
except BrokenPipeError:
    os.close(writer)
    given = {*range(3), int(os.environ["ORCHESTRA_CONTROL_FD"]), int(os.environ["ORCHESTRA_PARENT_FD"])}
    found = {fd for fd in map(int, os.listdir("/proc/self/fd")) if os.path.exists(f"/proc/self/fd/{fd}")}
    print(signal.getsignal(signal.SIGCHLD), signal.pthread_sigmask(signal.SIG_BLOCK, ()), found - given, flush=True)
    raise SystemExit(3)
"""
    stack = Stack(tmp_path, tree)
    stack.launch(program)
    try:
        log = Path(stack.home.supervisor_log)
        # The second is executed, when the fork server has handlers and descriptors of its own.
        eventually(lambda: log.read_text().count("supervisor ended (3)") >= 2)
        told = [line for line in log.read_text().splitlines() if not line.startswith("supervisor")]
        assert set(told) == {f"{signal.SIG_DFL} set() set()"}
    finally:
        stack.kill_fork_server()


def test_a_killed_supervisor_is_replaced_at_once(stack):
    def supervisor():
        found = []
        for pid in stack.children():
            with suppress(FileNotFoundError):  # just reaped
                names = Path(f"/proc/{pid}/comm").read_text(), Path(f"/proc/{pid}/cmdline").read_text()
                found += [pid] if names[0].startswith("orchestra-super") or "supervisor.py\0" in names[1] else []
        return found

    (first,) = eventually(supervisor)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: supervisor() not in ([], [first]))


def test_the_fork_server_ends_when_the_supervisor_is_done_and_nothing_is_left(stack):
    container = stack.container("sleep", "60")
    container.run()
    server = stack.fork_server
    stack.finish_supervisor()
    eventually(lambda: len(stack.children(server.pid)) == 1)
    assert process.is_alive(server)
    assert container.output_of("true")[0] == 0
    container.delete()
    eventually(lambda: not process.is_alive(server))
    assert not launch.is_running(stack.home)
    assert not Path(stack.home.fork_socket).exists()
    stack.launch()
    assert container.run().pid


def test_a_hundred_lives_leave_nothing(stack):
    server = stack.fork_server.pid
    stack.container("true", name="warm").finish()

    def descriptors():
        return {*os.listdir(f"/proc/{server}/fd")}

    container = stack.shell("exit 3")
    failing = stack.container("nonsense", name="failing")
    before, machine, children = descriptors(), {*census.mounts()}, stack.children(server)
    for _ in range(100):
        container.run()
        assert container.wait().exit_code == 3
        container.delete()
    for _ in range(20):
        with pytest.raises(OSError, match="nonsense"):
            failing.run()
    eventually(lambda: stack.children(server) == children)
    eventually(lambda: descriptors() <= before)  # what the first run left may still have been open then
    assert not [mount for mount in {*census.mounts()} - machine if stack.home.run in mount]
    assert stack.groups() == []
    assert container.leftovers() == failing.leftovers() == []
    assert Path(stack.home.supervisor_log).read_text() == ""
