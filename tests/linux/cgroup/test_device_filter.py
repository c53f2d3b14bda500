"""Device rules as a BPF program, asked of the kernel on the unified tree."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from orchestra.linux import cgroup
from orchestra.linux.cgroup import Hierarchy, at
from orchestra.linux.cgroup.device_filter import compile_rules
from tests.forking import fork_in
from tests.run import word

UNIFIED = cgroup.machine_hierarchy().v2
NULL, ZERO = (1, 3), (1, 5)


def allow(access="rwm", number=(None, None), kind="c"):
    return {"allow": True, "type": kind, "major": number[0], "minor": number[1], "access": access}


def deny(access="rwm", number=(None, None), kind="c"):
    return {**allow(access, number, kind), "allow": False}


EVERYTHING = {"allow": False, "access": "rwm"}


@pytest.fixture
def permitted(tmp_path):
    """Whether a process held to some rules may do "r", "w" and "m" with a character device."""
    stack = word()

    def ask(rules, number, access):
        group = at(f"/orchestra/{stack}/one", Hierarchy({}, UNIFIED))
        assert group.create({"devices": rules}) == []
        node = tmp_path / "node" if access == "m" else Path({NULL: "/dev/null", ZERO: "/dev/zero"}[number])
        code = fork_in(group, lambda: os._exit(attempt(node, number, access))).wait()
        (tmp_path / "node").unlink(missing_ok=True)
        group.remove()
        assert code in (0, 1)
        return code == 0

    yield ask
    assert not Path(UNIFIED, "orchestra", stack).exists()


def attempt(node, number, access):
    try:
        if access == "m":
            os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(*number))
        else:
            os.open(node, {"r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR}[access])
    except PermissionError:
        return 1
    except BaseException:
        return 99
    return 0


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to load BPF programs")
@pytest.mark.skipif(not UNIFIED, reason="no cgroup tree of version 2 is mounted")
@pytest.mark.parametrize(
    ("rules", "number", "yes", "no"),
    [
        ([EVERYTHING], NULL, (), ("r", "w", "m", "rw")),
        ([EVERYTHING, allow("rw", NULL)], NULL, ("r", "w", "rw"), ("m",)),
        ([EVERYTHING, allow("rw", NULL)], ZERO, (), ("r", "w", "m")),
        ([EVERYTHING, allow("r", NULL)], NULL, ("r",), ("w", "rw")),
        ([EVERYTHING, allow("m")], ZERO, ("m",), ("r",)),
        ([EVERYTHING, allow(number=(1, -1)), deny("w", ZERO)], ZERO, ("r", "m"), ("w", "rw")),
        ([EVERYTHING, allow(kind="b")], NULL, (), ("r",)),
        ([deny("w", NULL)], NULL, ("r", "m"), ("w", "rw")),
        ([EVERYTHING, {"allow": True}], NULL, ("r", "w", "m", "rw"), ()),
    ],
)
def test_the_kernel_goes_by_the_rules(permitted, rules, number, yes, no):
    for access in yes:
        assert permitted(rules, number, access), access
    for access in no:
        assert not permitted(rules, number, access), access


def test_what_no_rule_can_reach_is_left_out():
    everything = compile_rules([EVERYTHING])
    assert compile_rules([allow("r", NULL), EVERYTHING]) == everything
    assert len(compile_rules([])) == len(everything)
