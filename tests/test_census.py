"""The census is sharp: it notices one of each kind of thing that must not be left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import census

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make what must be noticed"),
]

ROOT = Path(__file__).parent.parent
NAME = f"orc-census{os.getpid() % 10000}"


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def test_an_interface_is_noticed():
    run("ip", "link", "add", NAME, "type", "bridge")
    try:
        assert any(NAME in line for line in census.interfaces())
    finally:
        run("ip", "link", "delete", NAME)
    assert not any(NAME in line for line in census.interfaces())


def test_a_table_is_noticed():
    run("nft", "add", "table", "inet", NAME)
    try:
        assert f"nftables table inet {NAME}" in set(census.tables())
    finally:
        run("nft", "delete", "table", "inet", NAME)
    assert f"nftables table inet {NAME}" not in set(census.tables())


def test_a_cgroup_is_noticed():
    roots = [root for root in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")) if (root / "cgroup.procs").exists()]
    directory = roots[0] / f"orchestra-census-{os.getpid()}"
    directory.mkdir()
    try:
        assert f"cgroup {directory}" in set(census.cgroups())
    finally:
        directory.rmdir()


def test_a_pinned_namespace_is_noticed(tmp_path):
    pin = tmp_path / "namespace"
    pin.touch()
    run("mount", "--bind", "/proc/self/ns/net", str(pin))
    try:
        assert f"mount {pin}" in set(census.mounts())
    finally:
        run("umount", str(pin))


def test_a_process_is_noticed():
    child = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()", "orchestra.supervisor"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        child.stdout.readline()
        assert any(line.startswith(f"process {child.pid}:") for line in census.processes())
        child.stdin.write(b"\n")
    assert not any(line.startswith(f"process {child.pid}:") for line in census.processes())


def test_a_run_that_leaves_something_behind_fails(tmp_path):
    """The very hooks of this suite, around a test that leaves a table of packet rules behind."""
    (tmp_path / "conftest.py").write_text(
        "import tests.conftest as ours\nours.PATIENCE = 0.3\n"
        "from tests.conftest import pytest_sessionstart, pytest_sessionfinish\n"
    )
    leave = f"import subprocess\ndef test_it(): subprocess.run(['nft', 'add', 'table', 'inet', '{NAME}'], check=True)\n"
    (tmp_path / "test_leaving.py").write_text(leave)
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    try:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    finally:
        run("nft", "delete", "table", "inet", NAME)
    assert done.returncode == 1, done.stdout
    assert f"nftables table inet {NAME}" in done.stdout
    assert "1 passed" in done.stdout
