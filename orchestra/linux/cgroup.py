"""Control groups behind the same few calls: version 1 (a tree for each controller), version 2, or none.

A path such as ``/orchestra/STACK/ID`` is meant below the root of each tree. Sources: cgroups(7) and the kernel's
admin-guide/cgroup-v1 and cgroup-v2.
"""

from __future__ import annotations

import os
import signal
import time
from errno import EACCES, EBUSY, EEXIST, ENODEV, ENOENT, ENOTEMPTY, EOPNOTSUPP, EPERM, EROFS, ESRCH
from typing import Any, NamedTuple

from orchestra.linux.cgroup_settings import settings_v1, settings_v2
from orchestra.linux.device_filter import attach_device_filter
from orchestra.linux.mountinfo import load_mounts
from orchestra.linux.process import fork_into_cgroup
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.linux.cgroup_settings import Setting
    from orchestra.linux.mountinfo import Mount

# What every container is in, limits or not: to be counted, and to be found and killed as a whole.
COUNTED_V1 = ("memory", "pids", "cpu", "cpuacct")
COUNTED_V2 = ("memory", "pids", "cpu")

REMOVE_SECONDS = 2.0


class Hierarchy(NamedTuple):
    """What this machine has. v1: controller to mount point; v2: mount point of the unified tree, or empty."""

    v1: Mapping[str, str]
    v2: str

    @property
    def version(self) -> int:
        """1, 2, or 0 for none. A unified tree beside trees of version 1 has no controllers of ours."""
        return 1 if self.v1 else 2 if self.v2 else 0


def find_hierarchy(mounts: Iterable[Mount]) -> Hierarchy:
    v1: dict[str, str] = {}
    v2 = ""
    for mount in mounts:
        if mount.kind == "cgroup2" and not v2:
            v2 = mount.point
        elif mount.kind == "cgroup":
            for option in mount.options:
                if option in ("memory", "pids", "cpu", "cpuacct", "cpuset", "devices", "freezer", "blkio"):
                    v1.setdefault(option, mount.point)
    return Hierarchy(v1, v2)


class Cgroup:
    """None: nothing is limited or counted, and only a PID namespace can end all of a container's processes."""

    warning = "no cgroup is mounted: resource limits are not applied"

    def create(self, resources: Mapping[str, Any], also: Iterable[str] = ()) -> list[str]:
        """Make the group afresh with these limits. Returns warnings for what this machine cannot limit.

        also: controllers that it must be under even if nothing is limited by them, where they exist.
        """
        # Device rules are always there, and none of them is anybody's limit.
        return [self.warning] if any(value for key, value in resources.items() if key != "devices") else []

    def update(self, resources: Mapping[str, Any]) -> list[str]:
        """Change limits of a group that exists. Returns warnings as ``create`` does."""
        # Device rules are always there, and none of them is anybody's limit.
        return [self.warning] if any(value for key, value in resources.items() if key != "devices") else []

    def directory(self, controller: str) -> str:
        """Where the files of a controller are; empty when there is no such controller."""
        return ""

    def fork(self) -> int:
        """fork(2); the child is in the group once it has called ``enter``, which it does first of all."""
        return os.fork()

    def enter(self) -> None:
        """Complete what ``fork`` began, in the child."""

    def views(self) -> dict[str, str]:
        """What a container may see at /sys/fs/cgroup: name below it, empty for itself, to directory of the group."""
        return {}

    def oom_kills(self) -> int:
        """How many processes the kernel has killed for want of memory in this group."""
        return 0

    def processes(self) -> list[int]:
        return []

    def kill(self) -> None:
        """SIGKILL to every process of the group and of groups below it; returns when they are gone."""

    def remove(self) -> None:
        """Remove the group, then its parents while they are empty. Nothing to remove is no error."""


class _Directories(Cgroup):
    """What both versions share: a group is a directory in each of one or more trees."""

    def __init__(self, roots: Mapping[str, str], path: str) -> None:
        """roots: controller, or empty for all of them, to mount point; several may share one."""
        self._roots = roots
        self._path = path.strip("/")
        self._directories = {controller: f"{root}/{self._path}" for controller, root in roots.items()}

    def directory(self, controller: str) -> str:
        return self._directories.get(controller) or self._directories.get("") or ""

    def _unique(self) -> list[str]:
        return list(dict.fromkeys(self._directories.values()))

    def _make(self, root: str, directory: str) -> None:
        for _attempt in range(8):
            try:
                os.mkdir(directory)
                return
            except FileExistsError:
                # Left by a run whose shim was killed: its counters and processes are not ours to inherit.
                self.kill()
                self._remove_tree(directory)
            except FileNotFoundError:
                parent = root
                for part in self._path.split("/")[:-1]:
                    parent = f"{parent}/{part}"
                    try:
                        os.mkdir(parent)
                    except FileExistsError:
                        continue
                    except FileNotFoundError:
                        break  # somebody else removed the empty parent: begin again
                    self._enable(parent)
        raise SystemCallError(EBUSY, "mkdir", directory, "processes of an earlier run do not end")

    def _enable(self, parent: str) -> None:
        """Prepare a directory between the root and the group."""

    def _write(self, setting: Setting, warnings: list[str]) -> None:
        directory = self._directories.get(setting.controller) or self._directories.get("")
        if directory is None:
            warnings.append(f"no cgroup controller {setting.controller!r}: {setting.file} is not applied")
            return
        path = f"{directory}/{setting.file}"
        try:
            _write_file(path, setting.value)
        except OSError as error:
            if error.errno in (ENOENT, EACCES, EPERM, EROFS, EOPNOTSUPP):
                warnings.append(f"{setting.file} is not applied: {error.strerror}")
                return
            raise SystemCallError(error.errno or 0, f"write {setting.value!r} to", path) from error

    def processes(self) -> list[int]:
        found: set[int] = set()
        for directory in self._unique():
            for here, _below, _files in os.walk(directory):
                try:
                    with open(f"{here}/cgroup.procs") as file:
                        found.update(int(line) for line in file)
                except OSError as error:
                    if error.errno not in (ENOENT, ENODEV, EOPNOTSUPP):
                        raise
        return sorted(found)

    def kill(self) -> None:
        deadline = time.monotonic() + REMOVE_SECONDS
        while alive := self.processes():
            for pid in alive:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError as error:
                    if error.errno != ESRCH:
                        raise
            if time.monotonic() > deadline:
                raise SystemCallError(EBUSY, "kill", self._path, f"processes {alive} do not end")
            # Version 1 has no event for a group becoming empty that a process could wait for.
            time.sleep(0.002)

    def _remove_tree(self, directory: str) -> None:
        for here, _below, _files in os.walk(directory, topdown=False):
            _remove_directory(here)

    def remove(self) -> None:
        for root in dict.fromkeys(self._roots.values()):
            directory = f"{root}/{self._path}"
            try:
                os.rmdir(directory)
            except FileNotFoundError:
                pass
            except OSError:
                self.kill()
                self._remove_tree(directory)
            parent = os.path.dirname(directory)
            while len(parent) > len(root):
                try:
                    os.rmdir(parent)
                except FileNotFoundError:
                    pass  # never made, by a creation that was killed on the way down: those above may be
                except OSError:
                    break  # others are in it
                parent = os.path.dirname(parent)


class CgroupV1(_Directories):
    """One directory in the tree of each controller that counts or limits."""

    def __init__(self, hierarchy: Mapping[str, str], path: str) -> None:
        self._hierarchy = hierarchy
        super().__init__(hierarchy, path)

    def create(self, resources: Mapping[str, Any], also: Iterable[str] = ()) -> list[str]:
        settings = settings_v1(resources)
        wanted = {*COUNTED_V1, *also, *(setting.controller for setting in settings)}
        self._roots = {name: root for name, root in self._hierarchy.items() if name in wanted}
        self._directories = {name: f"{root}/{self._path}" for name, root in self._roots.items()}
        for root in dict.fromkeys(self._roots.values()):
            self._make(root, f"{root}/{self._path}")
        if "cpuset" in self._directories:
            self._inherit_cpuset()
        warnings: list[str] = []
        for setting in settings:
            self._write(setting, warnings)
        return warnings

    def update(self, resources: Mapping[str, Any]) -> list[str]:
        warnings: list[str] = []
        for setting in settings_v1(resources):
            self._write(setting, warnings)
        return warnings

    def _inherit_cpuset(self) -> None:
        """A group without processors or memory nodes takes no process, and a new one has none: copy its parent's."""
        directory = self._roots["cpuset"]
        for part in self._path.split("/"):
            above, directory = directory, f"{directory}/{part}"
            for file in ("cpuset.cpus", "cpuset.mems"):
                if not _read_file(f"{directory}/{file}").strip():
                    _write_file(f"{directory}/{file}", _read_file(f"{above}/{file}").strip())

    def enter(self) -> None:
        """Moved from outside, through cgroup.procs, a process waits some 10 ms for an RCU period; this way it does not.

        Groups that do not exist, in trees that ``create`` made no use of, are passed over.
        """
        for directory in self._unique():
            try:
                _write_file(f"{directory}/tasks", "0")
            except FileNotFoundError:
                continue

    def views(self) -> dict[str, str]:
        return {os.path.basename(root): f"{root}/{self._path}" for root in dict.fromkeys(self._roots.values())}

    def oom_kills(self) -> int:
        return _count(f"{self._directories.get('memory', '')}/memory.oom_control", "oom_kill")


class CgroupV2(_Directories):
    """One directory of the unified tree; controllers are enabled on the way down."""

    def __init__(self, root: str, path: str) -> None:
        super().__init__({"": root}, path)
        self._root = root
        self._enabled: tuple[str, ...] = ()

    def create(self, resources: Mapping[str, Any], also: Iterable[str] = ()) -> list[str]:
        settings = settings_v2(resources)
        self._enabled = tuple(sorted({*COUNTED_V2, *(s.controller for s in settings if s.controller != "cgroup")}))
        parent = self._root
        self._enable(parent)
        self._make(self._root, f"{self._root}/{self._path}")
        for part in self._path.split("/")[:-1]:
            parent = f"{parent}/{part}"
            self._enable(parent)
        warnings = self.update(resources)
        rules = resources.get("devices")
        if rules:
            try:
                attach_device_filter(f"{self._root}/{self._path}", rules)
            except OSError as error:
                warnings.append(f"device rules are not applied: {error}")
        return warnings

    def update(self, resources: Mapping[str, Any]) -> list[str]:
        warnings: list[str] = []
        for setting in settings_v2(resources):
            self._write(setting, warnings)
        return warnings

    def _enable(self, parent: str) -> None:
        """Controllers that are not there cannot be enabled; the limits that need them turn into warnings."""
        there = _read_file(f"{parent}/cgroup.controllers").split()
        on = _read_file(f"{parent}/cgroup.subtree_control").split()
        missing = [name for name in self._enabled if name in there and name not in on]
        if missing:
            _write_file(f"{parent}/cgroup.subtree_control", " ".join(f"+{name}" for name in missing))

    def fork(self) -> int:
        """clone3 with CLONE_INTO_CGROUP: a later move of even itself would wait some 10 ms for an RCU period."""
        fd = os.open(f"{self._root}/{self._path}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return fork_into_cgroup(fd)
        finally:
            os.close(fd)

    def views(self) -> dict[str, str]:
        return {"": f"{self._root}/{self._path}"}

    def oom_kills(self) -> int:
        return _count(f"{self._root}/{self._path}/memory.events", "oom_kill")

    def kill(self) -> None:
        """cgroup.kill (Linux 5.14) reaches what forks meanwhile; then wait as for version 1."""
        try:
            _write_file(f"{self._root}/{self._path}/cgroup.kill", "1")
        except OSError as error:
            if error.errno not in (ENOENT, EACCES):
                raise
        super().kill()


def at(path: str, hierarchy: Hierarchy | None = None) -> Cgroup:
    """The group at an OCI ``linux.cgroupsPath``; for an empty path a group that is none."""
    found = hierarchy if hierarchy is not None else machine_hierarchy()
    if not path.strip("/") or found.version == 0:
        return Cgroup()
    return CgroupV1(found.v1, path) if found.version == 1 else CgroupV2(found.v2, path)


_machine: list[Hierarchy] = []


def machine_hierarchy() -> Hierarchy:
    """What this machine has mounted, looked up once."""
    if not _machine:
        _machine.append(find_hierarchy(load_mounts()))
    return _machine[0]


def _write_file(path: str, value: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _read_file(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _count(path: str, key: str) -> int:
    for line in _read_file(path).splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0


def _remove_directory(directory: str) -> None:
    """rmdir(2), patient with processes that have ended but are not yet gone from the group."""
    deadline = time.monotonic() + REMOVE_SECONDS
    while True:
        try:
            os.rmdir(directory)
            return
        except OSError as error:
            if error.errno == ENOENT:
                return
            if error.errno not in (EBUSY, ENOTEMPTY, EEXIST) or time.monotonic() > deadline:
                raise
        time.sleep(0.002)
