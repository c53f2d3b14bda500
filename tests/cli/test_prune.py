"""``system prune`` removes what dead stacks left, and nothing of the living, of other homes, or that anybody wrote."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra.driver.local import prune
from orchestra.driver.local.net.mark import home_hash
from orchestra.driver.local.prune import Item, Kind
from orchestra.home import Home
from orchestra.linux import cgroup
from orchestra.linux.process import is_stopped
from orchestra.shim.client import state
from tests.cli.conftest import ByHand
from tests.examples.conftest import eventually

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may remove what stacks leave"),
    pytest.mark.timeout(120),
]

STACK = """
services:
  web: {image: "rootfs:/", command: [sleep, infinity], volumes: ["kept:/kept"]}
  job: {image: "rootfs:/", command: [echo, done]}
volumes: {kept: {}}
"""


def processes_of(stack) -> dict[int, str]:
    """Fork server, shims and supervisor of a stack: pid to name."""
    name = stack.file.parent.name
    run = f"{stack.home}/run/stacks/{name}"
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            text = (directory / "cmdline").read_text(errors="replace")
            is_supervisor = f"/orchestra/control/__main__.py\0{name}\0" in text
            if f'"{run}"' in text or (is_supervisor and f"={stack.home}\0" in (directory / "environ").read_text()):
                found[int(directory.name)] = (directory / "comm").read_text().strip()
        except OSError:
            continue
    return found


def kill_all(stack) -> None:
    """Everything that is there for the containers, as an out-of-memory killer in a bad mood would.

    All stand still before the first is killed: a supervisor that outlives its fork server starts another one.
    """
    pids = list(processes_of(stack))
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    eventually(lambda: all(is_stopped(pid) for pid in pids))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))  # and so are their locks


def kill_containers(stack) -> None:
    for directory in (stack.home / "run/stacks" / stack.file.parent.name / "containers").glob("*"):
        if pid := state(str(directory)).pid:
            os.kill(pid, signal.SIGKILL)
            eventually(lambda pid=pid: not Path(f"/proc/{pid}").exists())


def test_a_dead_stack_goes_without_a_trace_but_for_volumes_and_logs(write_stack, tmp_path):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    stack.run("exec", "-T", "web", "sh", "-c", "echo treasure > /kept/file")
    kill_all(stack)
    assert stack.run("system", "prune", "-f").stdout == "Nothing to remove.\n"  # its container lives
    kill_containers(stack)
    removed = stack.run("system", "prune", "--force").stdout
    for words in ("cgroup /orchestra/", "container stack-web-1", "bridge ", "snapshot of stack-job-1", "stack stack"):
        assert f"Removed {words}" in removed
    assert stack.run("system", "prune", "-f").stdout == "Nothing to remove.\n"
    home = Home(f"{tmp_path}/home/data", f"{tmp_path}/home/run")
    assert (tmp_path / "home/data/volumes/stack_kept/_data/file").read_text() == "treasure\n"
    assert (tmp_path / "home/data/stacks/stack/logs/stack-job-1.log").read_text().endswith("done\n")
    assert prune.find(home) == []
    assert not list(tmp_path.glob("home/run/stacks/*"))
    assert not list(tmp_path.glob("home/data/snapshots/containers/*"))
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    stack.run("up", "-d")
    assert stack.run("exec", "-T", "web", "cat", "/kept/file").stdout == "treasure\n"


def test_down_ends_what_runs_although_its_directories_were_removed_by_hand(write_stack):
    stack = write_stack('services: {web: {image: "rootfs:BUSYBOX", command: [sleep, infinity], init: true}}\n')
    stack.run("up", "-d")
    (container,) = (stack.home / "run/stacks/stack/containers").iterdir()
    pid = state(str(container)).pid
    kill_all(stack)
    for root in ("run", "data"):
        shutil.rmtree(stack.home / root / "stacks/stack")
    told = stack.run("down").stderr
    assert "Network stack_default Removed" in told
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    assert not (stack.home / "run/netns").exists()
    assert "No resource found" in stack.run("down").stderr


def test_living_stacks_and_other_homes_are_left_alone(write_stack):
    living, dead = write_stack(STACK, "living"), write_stack(STACK, "dead")
    living.run("up", "-d")
    dead.run("up", "-d")
    before = living.containers()
    kill_all(dead)
    kill_containers(dead)
    elsewhere = dead.run("system", "prune", "-f")
    assert "living" not in elsewhere.stdout
    assert "Removed stack dead" in elsewhere.stdout
    after = living.containers()
    assert {name: row["ID"] for name, row in after.items()} == {name: row["ID"] for name, row in before.items()}
    assert living.run("exec", "-T", "web", "echo", "well").stdout == "well\n"


def test_a_process_in_an_unknown_group_is_found_and_ended(home):
    path = f"/orchestra/{home_hash(home)}/lost/id"
    group = cgroup.at(path)
    if not group.views():
        pytest.skip("no cgroup is mounted")
    group.create({})
    sleeper = subprocess.Popen(["sleep", "1000"])
    try:
        for directory in group.views().values():
            Path(directory, "cgroup.procs").write_text(str(sleeper.pid))
        other = Home(home.data, f"{home.run}-other")
        assert prune.find(other) == []
        items = prune.find(home)
        assert [(item.kind, item.stack) for item in items] == [(Kind.CGROUP, "lost"), (Kind.CGROUP, "lost")]
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever waits for the group must not wait for us to reap
        try:
            for item in items:
                prune.remove(home, item)
        finally:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        assert prune.find(home) == []
    finally:
        sleeper.kill()
        sleeper.wait()
        group.remove()


def test_what_lives_again_meanwhile_is_spared(home):
    by_hand = ByHand(home)
    name = by_hand.create("web")
    by_hand.want()
    items = prune.find(home)
    assert {item.kind for item in items} == {Kind.CONTAINER, Kind.STACK}
    by_hand.run(name)
    for item in items:
        prune.remove(home, item)
    assert os.path.exists(by_hand.home.desired)
    assert os.path.isdir(by_hand.home.container(name))


def test_removing_twice_is_as_good_as_once(home):
    by_hand = ByHand(home)
    by_hand.create("web")
    items = prune.find(home)
    for item in [*items, *items, Item(Kind.SNAPSHOT, "of web", "s", "s-web-1")]:
        prune.remove(home, item)
    assert prune.find(home) == []


def test_it_asks_at_a_terminal_and_refuses_without_one(home, orchestra, tmp_path):
    by_hand = ByHand(home)
    by_hand.create("web")
    environment = os.environ | {"ORCHESTRA_HOME": f"{tmp_path}/home"}
    command = [sys.executable, "-m", "orchestra", "system", "prune"]
    refused = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    for answer, remains in (("n", True), ("", True), ("y", False)):
        master, slave = pty.openpty()
        os.write(master, f"{answer}\n".encode())
        done = subprocess.run(command, env=environment, stdin=slave, capture_output=True, text=True, check=False)
        os.close(master)
        os.close(slave)
        assert done.returncode == 0
        assert "  - container s-web-1\n" in done.stdout
        assert os.path.isdir(by_hand.home.container("s-web-1")) == remains
