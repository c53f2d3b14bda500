"""Control groups of version 1: a directory in the tree of each controller."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from orchestra.linux.cgroup_settings import ignored, settings_v1
from orchestra.linux.cgroup_tree import CgroupTree, count, read_file, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.linux.systemd_scope import Scope


# To be counted, and to be found and killed as a whole, limits or not.
COUNTED = ("memory", "pids", "cpu", "cpuacct")


class CgroupV1(CgroupTree):
    def __init__(
        self, trees: Mapping[str, str], path: str, owner: str | None, scope: Scope | None, *, everywhere: bool
    ) -> None:
        super().__init__(trees, path, owner, scope)
        self._trees = trees
        self._everywhere = everywhere

    def create(self, resources: Mapping[str, Any]) -> list[str]:
        if not self._everywhere:
            wanted = {*COUNTED, *(setting.controller for setting in settings_v1(resources))}
            self._use({controller: root for controller, root in self._trees.items() if controller in wanted})
        self._make_directories(resources)
        if "cpuset" in self._directories:
            self._inherit_cpuset(self._directories["cpuset"])
        return self._write_all(resources)

    def update(self, resources: Mapping[str, Any]) -> list[str]:
        if self._scope is not None:
            self._scope.update(resources)
        return self._write_all(resources)

    def _write_all(self, resources: Mapping[str, Any]) -> list[str]:
        return [*ignored(resources, 1), *self._apply(settings_v1(resources))]

    def _inherit_cpuset(self, directory: str) -> None:
        """A group without processors or memory nodes takes no process, and a new one has none: copy its parent's."""
        above = os.path.dirname(directory)
        for file in ("cpuset.cpus", "cpuset.mems"):
            if not (value := read_file(f"{above}/{file}").strip()):
                self._inherit_cpuset(above)
                value = read_file(f"{above}/{file}").strip()
            if not read_file(f"{directory}/{file}").strip():
                write_file(f"{directory}/{file}", value)

    def fork(self, beside: int = 0) -> int:
        pid = super().fork(beside)
        if pid and self._scope is not None:
            # Before nobody else is in the scope any more, or it ends.
            for directory in self._unique():
                with contextlib.suppress(FileNotFoundError):
                    write_file(f"{directory}/cgroup.procs", str(pid))
            self._scope.release()
        return pid

    def enter(self) -> None:
        """Moved from outside, through cgroup.procs, a process waits some 10 ms for an RCU period; this way it does not.

        Groups that do not exist are passed over.
        """
        for directory in self._unique():
            try:
                write_file(f"{directory}/tasks", "0")
            except FileNotFoundError:
                continue

    def views(self) -> dict[str, str]:
        return {os.path.basename(root): f"{root}/{self._path}" for root in self._roots}

    def oom_kills(self) -> int:
        return count(f"{self._directories.get('memory', '')}/memory.oom_control", "oom_kill")
