"""How groups of version 1 divide real time. Directories stand for groups: one group alone may have all of a machine."""

from __future__ import annotations

import pytest

from orchestra.linux.cgroup.v1 import _allot_real_time

PERIOD = 1_000_000


def group(path, runtime, period=PERIOD):
    path.mkdir(parents=True, exist_ok=True)
    (path / "cpu.rt_runtime_us").write_text(f"{runtime}\n")
    (path / "cpu.rt_period_us").write_text(f"{period}\n")
    return path


def has(path):
    return int((path / "cpu.rt_runtime_us").read_text())


@pytest.mark.parametrize(
    ("wanted", "needed"),
    [
        ({"realtimeRuntime": 5000}, 5000),
        ({"realtimeRuntime": 5000, "realtimePeriod": 500_000}, 10_000),
        ({"realtimeRuntime": 1, "realtimePeriod": 3_000_000}, 1),
    ],
)
def test_groups_above_get_what_is_missing(tmp_path, wanted, needed):
    root = group(tmp_path / "tree", 950_000)
    stack = group(root / "orchestra", 0)
    above = group(stack / "shop", 0)
    own = group(above / "web", 0)
    _allot_real_time(str(own), str(root), wanted)
    assert [has(root), has(stack), has(above), has(own)] == [950_000, needed, needed, 0]


def test_what_others_have_is_counted_in_the_period_of_their_parent(tmp_path):
    root = group(tmp_path / "tree", 950_000)
    above = group(root / "shop", 100)
    group(above / "db", 300, PERIOD // 2)
    own = group(above / "web", 0)
    _allot_real_time(str(own), str(root), {"realtimeRuntime": 50})
    assert has(above) == 650


def test_nothing_is_changed_where_there_is_enough(tmp_path):
    root = group(tmp_path / "tree", 950_000)
    above = group(root / "shop", 900)
    own = group(above / "web", 0)
    _allot_real_time(str(own), str(root), {"realtimeRuntime": 50})
    assert has(above) == 900
