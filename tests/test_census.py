"""The census is sharp: it notices one of each kind of thing that must not be left, and nothing of other people's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra.driver.local.net.mark import home_hash
from orchestra.home import Home
from tests import census, run
from tests.nested import Nested

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make what must be noticed"),
]

NAME = f"orc-census{os.getpid() % 10000}"


def call(*command: str) -> None:
    subprocess.run(command, check=True)


def a_cgroup_tree() -> Path:
    return next(Path(tree) for tree in run.cgroup_trees() if Path(tree, "cgroup.procs").exists())


def test_an_interface_is_noticed():
    call("ip", "link", "add", NAME, "type", "bridge")
    try:
        assert f"interface {NAME} ()" in set(census.interfaces())
    finally:
        call("ip", "link", "delete", NAME)
    assert f"interface {NAME} ()" not in set(census.interfaces())


def test_a_table_is_noticed():
    call("nft", "add", "table", "inet", NAME)
    try:
        assert f"nftables table inet {NAME}" in set(census.tables())
    finally:
        call("nft", "delete", "table", "inet", NAME)
    assert f"nftables table inet {NAME}" not in set(census.tables())


@pytest.mark.parametrize(
    "name", [f"orchestra-{NAME}", "orchestra/HASH", "orchestra/WORD"], ids=["alone", "of a home", "of a run"]
)
def test_a_cgroup_is_noticed(tmp_path, name):
    home = Home(f"{tmp_path}/data", f"{tmp_path}/run")
    os.mkdir(home.run)
    directory = a_cgroup_tree() / name.replace("HASH", home_hash(home)).replace("WORD", run.word())
    directory.mkdir(parents=True)
    try:
        assert f"cgroup {directory}" in set(census.cgroups(run.current()))
    finally:
        directory.rmdir()


@pytest.mark.parametrize("name", ["orchestra/0123abcd", "orchestra-test-another_-7-0123abcd"])
def test_a_cgroup_of_others_is_not_noticed(name):
    directory = a_cgroup_tree() / name
    directory.mkdir(parents=True)
    try:
        assert f"cgroup {directory}" not in set(census.cgroups(run.current()))
    finally:
        directory.rmdir()


def test_a_pinned_namespace_is_noticed(tmp_path):
    pin = tmp_path / "namespace"
    pin.touch()
    call("mount", "--bind", "/proc/self/ns/net", str(pin))
    try:
        assert f"mount {pin}" in set(census.mounts())
    finally:
        call("umount", str(pin))


ELSEWHERE = ("unshare", "--mount", "sh", "-c", 'umount "$0" && exec "$@"', "MARK")
MOUNTED = ("unshare", "--mount", "sh", "-c", 'umount "$0" && mount -t tmpfs none BASE; exec "$@"', "MARK")
FORGET = """awk 'index($0, "RUN") {print $5}' /proc/self/mountinfo | tac | xargs umount --lazy 2>/dev/null"""
OTHERS = ("unshare", "--mount", "sh", "-c", f'{FORGET}; exec "$@"', "MARK")
"""Without what other tests of the run have mounted at the moment."""
CHILDREN = {
    "in the run's mount namespace": ((), {}, True),
    "with the run in its environment": (ELSEWHERE, {run.VARIABLE: "BASE"}, True),
    "with a home of the run": (ELSEWHERE, {"ORCHESTRA_HOME": "BASE/x/home"}, True),
    "with a mount of the run": (MOUNTED, {}, True),
    "of others": (OTHERS, {"ORCHESTRA_HOME": "/tmp/other"}, False),
}


@pytest.mark.parametrize("kind", CHILDREN)
def test_a_process_is_noticed(tmp_path, kind):
    before, variables, noticed = CHILDREN[kind]
    base = run.current().base
    (tmp_path / "mounted").mkdir()
    mark = str(run.current().mark)
    words = [
        word.replace("BASE", f"{tmp_path}/mounted").replace("MARK", mark).replace("RUN", str(base)) for word in before
    ]
    script = "import os; print(os.getpid(), flush=True); input()"
    child = subprocess.Popen(
        [*words, sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"]}
        | {name: value.replace("BASE", str(base)) for name, value in variables.items()},
    )
    with child:
        pid = int(child.stdout.readline())
        assert any(line.startswith(f"process {pid}:") for line in census.processes(run.current())) == noticed
        child.stdin.write(b"\n")
        child.stdin.close()
    assert not any(line.startswith(f"process {pid}:") for line in census.processes(run.current()))


@pytest.mark.xdist_group("nested")
def test_a_run_that_leaves_something_behind_fails(tmp_path):
    """The very hooks of this suite, around a test that leaves a table of packet rules behind."""
    leave = f"import subprocess\ndef test_it(): subprocess.run(['nft', 'add', 'table', 'inet', '{NAME}'], check=True)\n"
    done = Nested(tmp_path, leave, "import tests.conftest\ntests.conftest.PATIENCE = 0.3\n").run()
    assert done.returncode == 1, done.stdout
    assert f"nftables table inet {NAME}" in done.stdout
    assert "1 passed" in done.stdout
