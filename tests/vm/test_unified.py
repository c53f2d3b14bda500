"""The runtime where cgroup version 2 is all there is: in a virtual machine, when a program that makes one is at hand.

``ORCHESTRA_VM`` names it: called as ``PROGRAM run COMMAND`` it boots a Linux with Python, pytest's requirements shared
from here, and the current directory at the same path. ``make test-vm`` runs all of tests/linux and tests/shim there.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import tests.vm

ROOT = Path(tests.vm.__file__).parents[2]
PROGRAM = os.environ.get("ORCHESTRA_VM", "")
WHAT = ("tests/linux/test_cgroup.py", "tests/linux/test_device_filter.py", "tests/shim/test_limits.py")


@pytest.mark.timeout(400)
@pytest.mark.skipif(not PROGRAM, reason="ORCHESTRA_VM names no program that runs a command in a virtual machine")
def test_limits_hold_on_a_pure_unified_hierarchy():
    command = ["make", "test-vm", f"VM={PROGRAM}", f"WHAT={' '.join(WHAT)}"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
