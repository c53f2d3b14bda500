"""OCI runtime specification, config-linux: "IntelRdt". A directory stands for the file system."""

from __future__ import annotations

import sys

import pytest

from orchestra.linux import resctrl
from orchestra.linux.syscall import SystemCallError

# Without the second beginning of the command line, which would not know of the directory. The kernel fills a group with
# files and takes them away with it.
STANDS_FOR_IT = """
import os, sys
from orchestra.linux import resctrl
from orchestra.oci_cli import __main__, sealed
root, rmdir = sys.argv.pop(1), os.rmdir
resctrl.find_root = lambda: root
def remove_group(path, **keys):
    if str(path).startswith(root):
        for entry in os.scandir(path):
            os.unlink(entry)
    rmdir(path, **keys)
os.rmdir = remove_group
sealed.protect = lambda *words, **keys: None
sys.exit(__main__.main())
"""


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "resctrl"
    (root / "info/L3_MON").mkdir(parents=True)
    (root / "info/L3_MON/mon_features").write_text("llc_occupancy\nmbm_total_bytes\n")
    (root / "there").mkdir()
    (root / "there/schemata").write_text("    L3:0=00fff;1=000ff\n    MB:0= 100;1=  50\n")
    (root / "there/tasks").write_text("")
    return root


@pytest.fixture
def rdt(ours, root):
    """Our runtime where that directory is found, and a function that gives a bundle ``linux.intelRdt``."""
    ours.command = [sys.executable, "-c", STANDS_FOR_IT, str(root), *ours.command[3:]]

    def make(**wanted):
        ours.bundle("sleep", "60").linux["intelRdt"] = wanted
        return ours

    return make


def test_a_machine_without_the_file_system_says_so(ours):
    ours.bundle().linux["intelRdt"] = {"closID": "some"}
    assert "linux.intelRdt: no such device (no resctrl file system is mounted on this machine)" in ours.fails(
        "run", "c"
    )
    assert ours.ok("list", "-q") == ""


def test_a_group_is_made_for_a_container_and_removed_with_it(rdt, root):
    runtime = rdt(l3CacheSchema="L3:0=f\nMB:0=10", memBwSchema="MB:0=20")
    runtime.ok("create", "c")
    assert (root / "c/schemata").read_text() == "L3:0=f\nMB:0=20\n"
    assert (root / "c/tasks").read_text() == str(runtime.state()["pid"])
    runtime.ok("exec", "c", "true")
    assert (root / "c/tasks").read_text() != str(runtime.state()["pid"])
    runtime.ok("delete", "--force", "c")
    assert not (root / "c").exists()


def test_a_group_that_was_there_is_entered_and_stays(rdt, root):
    runtime = rdt(closID="there", l3CacheSchema="L3:1=ff", memBwSchema="MB:1=50")
    runtime.ok("create", "c")
    assert (root / "there/tasks").read_text() == str(runtime.state()["pid"])
    runtime.ok("delete", "--force", "c")
    assert (root / "there/schemata").exists()


@pytest.mark.parametrize("mode", ["enableCMT", "enableMBM"])
def test_a_group_that_counts_is_the_containers_alone(rdt, root, mode):
    runtime = rdt(closID="there", **{mode: True})
    runtime.ok("create", "c")
    assert (root / "there/mon_groups/c/tasks").read_text() == str(runtime.state()["pid"])
    runtime.ok("delete", "--force", "c")
    assert not (root / "there/mon_groups/c").exists()
    assert (root / "there").exists()


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"closID": "nowhere"}, "there is no such group"),
        ({"closID": "there", "l3CacheSchema": "L3:0=f"}, "the group is there with another L3"),
        ({"closID": "there", "memBwSchema": "MB:2=1"}, "the group is there with another MB"),
        ({"closID": "a/b"}, "no name for a group"),
        ({"closID": "info"}, "no name for a group"),
        ({"memBwSchema": "L3:0=f"}, "one line that begins with MB:"),
    ],
)
def test_what_cannot_be_had_is_refused_and_leaves_nothing(rdt, root, wanted, problem):
    runtime = rdt(**wanted)
    assert problem in runtime.fails("create", "c")
    assert runtime.ok("list", "-q") == ""
    assert sorted(path.name for path in root.iterdir()) == ["info", "there"]


def test_what_the_processor_does_not_count_is_refused(rdt, root):
    (root / "info/L3_MON/mon_features").write_text("llc_occupancy\n")
    assert "linux.intelRdt.enableMBM" in rdt(enableMBM=True).fails("create", "c")


def test_a_shared_group_outlives_the_container_that_made_it(root):
    group = resctrl.plan_group({"closID": "new", "l3CacheSchema": "L3:0=f"}, "c", str(root))
    made = group.missing()
    resctrl.create(group)
    resctrl.enter(group.directories, 77)
    resctrl.remove(made, "c")
    assert (root / "new/tasks").read_text() == "77"


def test_a_missing_schema_is_reported_by_its_line():
    with pytest.raises(SystemCallError, match="'L3:0=xyz' is no schema"):
        resctrl.parse_schemata(["L3:0=xyz"])
