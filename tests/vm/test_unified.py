"""The runtime where cgroup version 2 is all there is: in a virtual machine, when a program that makes one is at hand.

``ORCHESTRA_VM`` names it: called as ``PROGRAM run COMMAND`` it boots a Linux with Python, pytest's requirements shared
from here, and the current directory at the same path; with ``VM_INIT=systemd`` in the environment systemd is its first
process. ``make test-vm`` runs all of tests/linux, tests/shim and tests/oci_cli there.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import tests.vm

ROOT = Path(tests.vm.__file__).parents[2]
PROGRAM = os.environ.get("ORCHESTRA_VM", "")
LIMITS = ("tests/linux/cgroup/test_cgroup.py", "tests/linux/cgroup/test_device_filter.py", "tests/shim/test_limits.py")
RESOURCES = ("tests/oci_cli/test_resources.py",)
SYSTEMD = ("tests/oci_cli/test_systemd.py",)

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not PROGRAM, reason="ORCHESTRA_VM names no program that runs a command in a virtual machine"),
]


def run(what, **environment):
    command = ["make", "test-vm", f"VM={PROGRAM}", f"WHAT={' '.join(what)}"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_limits_hold_on_a_pure_unified_hierarchy():
    run(LIMITS + RESOURCES)


def test_systemd_manages_the_groups_of_containers():
    run(SYSTEMD, VM_INIT="systemd")
