"""Commands that are killed between any two steps; many containers one after the other; where errors are told."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import orchestra.oci_cli
from orchestra.linux import cgroup
from orchestra.oci_cli.fault import VARIABLE
from tests.oci_cli.conftest import eventually, is_gone, kill
from tests.oci_cli.test_namespaces import mapped

CREATION = [
    "directory",
    "record",
    "settings",
    "cgroup",
    "fork",
    "identified",
    "created",
    "pid-file",
    "recorded",
    "released",
]
HOOK = {"createRuntime": [{"path": "/bin/true"}]}


def leftovers(ours):
    return [*os.listdir(ours.root), *cgroup.at(f"{ours.group}/c").processes(), *ours.groups()]


def dies(ours, point, *words):
    assert ours(*words, env={VARIABLE: point}).returncode == -signal.SIGKILL


def test_every_point_is_tried():
    points = set()
    for file in Path(orchestra.oci_cli.__path__[0]).glob("*.py"):
        points.update(re.findall(r'fault\.reach\("([a-z-]+)"\)', file.read_text()))
    tried = {*CREATION, "told", "started", "attended", "killed", "stopped", "ungrouped"}
    assert points == tried


@pytest.mark.timeout(150)
@pytest.mark.parametrize("command", ["create", "run"])
@pytest.mark.parametrize("user", ["machine", "mapped"])
def test_a_creation_that_is_killed_leaves_what_can_be_removed(ours, command, user, subtests):
    ours.bundle(name="other")
    ours.ok("create", "other", name="other")
    for point in CREATION:
        with subtests.test(point=point):
            bundle = mapped(ours) if user == "mapped" else ours.bundle()
            bundle.config["hooks"] = HOOK
            dies(ours, point, command, "--pid-file", str(ours.path / "pid"), "c")
            for _twice in range(2):
                ours.ok("delete", "--force", "c")
            assert os.listdir(ours.root) == ["other"]
            assert cgroup.at(f"{ours.group}/c").processes() == []
            assert not [group for group in ours.groups() if Path(group, "c").exists()]
            assert ours.status("other") == "created"


@pytest.mark.parametrize("point", ["told", "started"])
def test_a_start_that_is_killed_leaves_a_container(ours, point):
    ours.bundle()
    ours.ok("create", "c")
    dies(ours, point, "start", "c")
    eventually(lambda: ours.status() == "running")
    ours.ok("kill", "c", "KILL")
    ours.stopped()
    ours.ok("delete", "c")
    assert leftovers(ours) == []


@pytest.mark.parametrize("point", ["killed", "ungrouped", "stopped"])
def test_a_removal_that_is_killed_can_be_done_again(ours, point):
    ours.bundle()
    ours.ok("run", "--detach", "c")
    pid = ours.state()["pid"]
    dies(ours, point, "delete", "--force", "c")
    assert is_gone(pid)
    assert ours.status() == "stopped"
    ours.ok("delete", "c")
    assert leftovers(ours) == []


def test_a_run_that_is_killed_at_its_end_leaves_a_stopped_container(ours):
    ours.bundle("true")
    dies(ours, "attended", "run", "c")
    assert ours.status() == "stopped"
    ours.ok("delete", "c")
    assert leftovers(ours) == []


@pytest.mark.parametrize("victim", ["$PPID", "$pid"])
def test_runtime_or_container_is_killed_while_hooks_run(ours, victim):
    script = f'read state; pid=${{state#*\\"pid\\": }}; pid=${{pid%%,*}}; kill -9 {victim}'
    ours.bundle().config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
    assert ours("create", "c").returncode != 0
    ours.ok("delete", "--force", "c")
    assert leftovers(ours) == []


def test_a_creation_that_hangs_in_a_hook_is_seen_and_ended(ours):
    ours.bundle().config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "50"]}]}
    ours.bundles["c"].write()
    with open(os.devnull, "r+b") as null:
        words = [*ours.command, "create", "--bundle", str(ours.bundles["c"].path), "c"]
        hanging = subprocess.Popen(words, stdin=null, stdout=null, stderr=null)
    children = Path(f"/proc/{hanging.pid}/task/{hanging.pid}/children")
    try:
        pids = eventually(lambda: (found := children.read_text().split())[1:] and found)
        ours.ok("delete", "--force", "c")
        assert hanging.wait(30) == -signal.SIGKILL
    finally:
        hanging.kill()
        hanging.wait()
    kill(int(pids[-1]))  # the hook, which belongs to nobody now
    assert leftovers(ours) == []


def test_what_a_killed_creation_left_empty_can_be_used_again(ours):
    ours.bundle("true")
    dies(ours, "directory", "create", "c")
    assert "does not exist" in ours.fails("delete", "c")
    ours.ok("run", "c")
    assert leftovers(ours) == []


@pytest.mark.fuzz
@pytest.mark.timeout(150)
def test_dozens_of_containers_leave_nothing(ours):
    """In one process that does what dozens of commands do: what a command leaks would be seen here as well."""
    ours.bundle("true").write()
    program = """
import os, sys
from orchestra.oci_cli.__main__ import main
root, bundle = sys.argv[1:]
def look():
    with open("/proc/self/mounts") as mounts:
        return len(os.listdir("/proc/self/fd")), [line for line in mounts if bundle in line]
for number in range(36):
    pid = os.fork()
    if pid == 0:
        os._exit(main(["--root", root, "run", "--bundle", bundle, "c"]))
    assert os.waitpid(pid, 0)[1] == 0
    if number == 0:
        first = look()
assert look() == first
"""
    words = [sys.executable, "-c", program, str(ours.root), str(ours.bundles["c"].path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    assert leftovers(ours) == []


def test_somebody_elses_cgroup_is_not_taken(ours):
    ours.bundle(name="other").linux["cgroupsPath"] = f"{ours.group}/c"
    ours.ok("create", "other", name="other")
    ours.bundle()
    assert "another owner" in ours.fails("create", "c")
    assert ours.status("other") == "created"


def test_errors_are_written_to_the_log(ours, tmp_path):
    log = tmp_path / "log"
    words = ("--log", str(log), "--log-format", "json")
    done = subprocess.run([*ours.command, *words, "state", "nobody"], capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = log.read_text().splitlines()
    assert json.loads(line)["level"] == "error"
    assert "container does not exist" in json.loads(line)["msg"]
    assert "container does not exist" in done.stderr


HEAVY = {"argparse", "subprocess", "asyncio", "typer", "logging", "traceback", "tempfile", "shutil", "inspect"}


@pytest.mark.parametrize("words", [["state", "x"], ["run", "x"], ["exec", "x", "y"], ["delete", "x"], ["start", "x"]])
def test_commands_load_nothing_that_is_slow_to_import(words):
    program = f"""
import sys
sys.path.append({str(Path(orchestra.oci_cli.__path__[0]).parent.parent)!r})
from orchestra.oci_cli.__main__ import main
main({["--root", "/nonexistent", *words]!r})
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True)
    assert HEAVY & {*done.stdout.split()} == set()
