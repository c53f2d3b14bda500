"""Control groups of version 2: one directory of the unified tree; controllers are enabled on the way down."""

from __future__ import annotations

import os
from errno import EACCES, EBUSY, EINVAL, ENOENT, EOPNOTSUPP, EPERM
from typing import Any

from orchestra.linux import user_namespace, whole_files
from orchestra.linux.cgroup.base import Hierarchy
from orchestra.linux.cgroup.device_filter import attach_device_filter
from orchestra.linux.cgroup.settings import ignored, settings_v2
from orchestra.linux.cgroup.tree import CgroupTree, count, read_file
from orchestra.linux.process import fork_into_cgroup
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.linux.systemd.scope import Scope


class CgroupV2(CgroupTree):
    def __init__(self, root: str, path: str, owner: str | None, scope: Scope | None) -> None:
        super().__init__({"": root}, path, owner, scope)
        self._root = root

    def create(self, resources: Mapping[str, Any]) -> list[str]:
        settings_v2(resources)  # report what cannot be converted before anything is made
        self._enable(self._root)
        self._make_directories(resources)
        parent = self._root
        for part in self._path.split("/")[:-1]:
            parent = f"{parent}/{part}"
            self._enable(parent)
        warnings = self._write_all(resources)
        rules = resources.get("devices")
        if rules:
            try:
                attach_device_filter(self.directory(""), rules)
            except OSError as error:
                # In a user namespace no nodes can be made, either: those that are there are the machine's.
                if error.errno == EPERM and not user_namespace.is_initial():
                    return warnings
                warnings.append(f"device rules are not applied: {error}")
        return warnings

    def update(self, resources: Mapping[str, Any]) -> list[str]:
        memory = resources.get("memory") or {}
        if memory.get("checkBeforeUpdate") and (memory.get("limit") or 0) > 0:
            # Version 1 refuses this by itself; in version 2 the kernel would kill processes instead.
            used = int(read_file(f"{self.directory('')}/memory.current").strip() or 0)
            if used > memory["limit"]:
                hint = f"{used} bytes are in use, and memory.checkBeforeUpdate asks not to go below that"
                raise SystemCallError(EBUSY, "update", "memory.max", hint)
        if self._scope is not None:
            self._scope.update(resources)
        return self._write_all(resources)

    def _write_all(self, resources: Mapping[str, Any]) -> list[str]:
        return [*ignored(resources, 2), *self._apply(settings_v2(resources))]

    def _enable(self, parent: str) -> None:
        """Enable all controllers, as runc and crun do. Limits of those that cannot be enabled become warnings."""
        there = read_file(f"{parent}/cgroup.controllers").split()
        on = read_file(f"{parent}/cgroup.subtree_control").split()
        missing = [name for name in there if name not in on]
        if not missing or _enable(parent, missing):
            return
        for name in missing:
            _enable(parent, [name])

    def birthplace(self) -> int:
        return os.open(self.directory(""), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def hierarchy(self) -> Hierarchy:
        return Hierarchy({}, self._root)

    def fork(self, beside: int = 0) -> int:
        """clone3 with CLONE_INTO_CGROUP: even a process that moves itself would wait some 10 ms for an RCU period.

        A group that has passed its controllers on takes no process ("No Internal Process Constraint"): for example that
        of a container with systemd in it.
        """
        try:
            pid = _fork_into(*self._entered())
        except OSError as error:
            if error.errno != EBUSY or not beside:
                raise
            pid = _fork_into(f"{self._root}{_group_of(beside)}")
        if pid and self._scope is not None:
            self._scope.release()
        return pid

    def views(self) -> dict[str, str]:
        return {"": f"{self._root}/{self._path}"}

    def oom_kills(self) -> int:
        return count(f"{self.directory('')}/memory.events", "oom_kill")

    def memory_peak(self) -> int:
        return int(read_file(f"{self.directory('')}/memory.peak").strip() or 0)

    def kill(self) -> None:
        """cgroup.kill (Linux 5.14) also reaches processes that fork meanwhile; then wait as for version 1."""
        directory = self.directory("")
        if directory and self._is_ours(directory):
            try:
                whole_files.set(f"{directory}/cgroup.kill", "1")
            except OSError as error:
                if error.errno not in (ENOENT, EACCES):
                    raise
        super().kill()


def _fork_into(directory: str) -> int:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return fork_into_cgroup(fd)
    finally:
        os.close(fd)


def _group_of(pid: int) -> str:
    return next(line[3:] for line in read_file(f"/proc/{pid}/cgroup").splitlines() if line.startswith("0::"))


def _enable(parent: str, names: list[str]) -> bool:
    try:
        whole_files.set(f"{parent}/cgroup.subtree_control", " ".join(f"+{name}" for name in names))
    except OSError as error:
        if error.errno not in (EACCES, EBUSY, EINVAL, ENOENT, EOPNOTSUPP, EPERM):
            raise
        return False
    return True
