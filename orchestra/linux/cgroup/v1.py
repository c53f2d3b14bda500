"""Control groups of version 1: a directory in the tree of each controller."""

from __future__ import annotations

import contextlib
import os
from errno import EINVAL

from orchestra.linux import whole_files
from orchestra.linux.cgroup.base import Hierarchy
from orchestra.linux.cgroup.settings import ignored, settings_v1
from orchestra.linux.cgroup.tree import CgroupTree, count, read_file
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from orchestra.linux.systemd.scope import Scope


# For counting, pausing, and for finding and killing all processes, with or without limits.
ALWAYS = ("memory", "pids", "cpu", "cpuacct", "freezer")
REAL_TIME = "cpu.rt_runtime_us"
DEFAULT_PERIOD = 1_000_000  # microseconds


class CgroupV1(CgroupTree):
    def __init__(
        self, trees: Mapping[str, str], path: str, owner: str | None, scope: Scope | None, *, everywhere: bool
    ) -> None:
        super().__init__(trees, path, owner, scope)
        self._trees = trees
        self._everywhere = everywhere

    def create(self, resources: Mapping[str, Any]) -> list[str]:
        settings = settings_v1(resources)  # report what cannot be set before anything is made
        if not self._everywhere:
            wanted = {*ALWAYS, *(setting.controller for setting in settings)}
            self._use({controller: root for controller, root in self._trees.items() if controller in wanted})
        self._make_directories(resources)
        if "cpuset" in self._directories:
            self._inherit_cpuset(self._directories["cpuset"])
        cpu = resources.get("cpu") or {}
        if not self._everywhere and cpu.get("realtimeRuntime") and "cpu" in self._directories:
            _allot_real_time(self._directories["cpu"], self._trees["cpu"], cpu)
        return self._write_all(resources)

    def update(self, resources: Mapping[str, Any]) -> list[str]:
        if self._scope is not None:
            self._scope.update(resources)
        return self._write_all(resources)

    def _write_all(self, resources: Mapping[str, Any]) -> list[str]:
        return [*ignored(resources, 1), *self._apply(settings_v1(resources))]

    def _inherit_cpuset(self, directory: str) -> None:
        """A group without processors or memory nodes takes no process, and a new one has none: copy the parent's."""
        above = os.path.dirname(directory)
        for file in ("cpuset.cpus", "cpuset.mems"):
            if not (value := read_file(f"{above}/{file}").strip()):
                self._inherit_cpuset(above)
                value = read_file(f"{above}/{file}").strip()
            if not read_file(f"{directory}/{file}").strip():
                whole_files.set(f"{directory}/{file}", value)

    def fork(self, beside: int = 0) -> int:
        pid = super().fork(beside)
        if pid and self._scope is not None:
            # Before the stand-in leaves the scope, or an empty scope would end.
            for directory in self._unique():
                with contextlib.suppress(FileNotFoundError):
                    whole_files.set(f"{directory}/cgroup.procs", str(pid))
            self._scope.release()
        return pid

    def hierarchy(self) -> Hierarchy:
        cut = len(self._path) + 1
        return Hierarchy({controller: directory[:-cut] for controller, directory in self._directories.items()}, "")

    def enter(self) -> None:
        """A process moved from outside, through cgroup.procs, waits some 10 ms for an RCU period. This avoids that.

        Skips groups that do not exist.
        """
        for directory in self._entered():
            try:
                whole_files.set(f"{directory}/tasks", "0")
            except FileNotFoundError:
                continue

    def views(self) -> dict[str, str]:
        return {os.path.basename(root): f"{root}/{self._path}" for root in self._roots}

    def oom_kills(self) -> int:
        return count(f"{self._directories.get('memory', '')}/memory.oom_control", "oom_kill")

    def memory_peak(self) -> int:
        return int(read_file(f"{self._directories.get('memory', '')}/memory.max_usage_in_bytes").strip() or 0)


def _allot_real_time(directory: str, root: str, cpu: Mapping[str, Any]) -> None:
    """Give the parent the real time that a group gets, on top of what others got; a new parent has none.

    Only above our own groups. Sources: the kernel's scheduler/sched-rt-group.
    """
    above = os.path.dirname(directory)
    if above == root or not os.path.exists(f"{above}/{REAL_TIME}"):
        return
    period = int(read_file(f"{above}/cpu.rt_period_us"))
    needed = -(-cpu["realtimeRuntime"] * period // (cpu.get("realtimePeriod") or DEFAULT_PERIOD))
    needed += sum(_real_time(entry.path, period) for entry in os.scandir(above) if entry.path != directory)
    if int(read_file(f"{above}/{REAL_TIME}")) < needed:
        _allot_real_time(above, root, {"realtimeRuntime": needed, "realtimePeriod": period})
        try:
            whole_files.set(f"{above}/{REAL_TIME}", str(needed))
        except OSError as error:
            hint = "the groups above have no more real time to give"
            raise SystemCallError(
                error.errno or EINVAL, f"write '{needed}' to", f"{above}/{REAL_TIME}", hint
            ) from error


def _real_time(directory: str, period: int) -> int:
    """The part of a parent's period that a group has; 0 if it is not a group, or no longer."""
    if not os.path.isdir(directory):
        return 0
    runtime, own = read_file(f"{directory}/{REAL_TIME}"), read_file(f"{directory}/cpu.rt_period_us")
    return int(runtime) * period // int(own) if runtime and own else 0
