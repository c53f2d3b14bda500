"""What both versions of control groups share: a group is a directory in each of one or more trees."""

from __future__ import annotations

import os
import signal
import time
from errno import (
    EACCES,
    EBUSY,
    EEXIST,
    EINVAL,
    ENODATA,
    ENODEV,
    ENOENT,
    ENOTEMPTY,
    EOPNOTSUPP,
    EPERM,
    EROFS,
    ESRCH,
)

from orchestra.linux.cgroup.base import Cgroup
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from orchestra.linux.cgroup.settings import Setting
    from orchestra.linux.systemd.scope import Scope

REMOVE_SECONDS = 10.0  # a process that waits for a disk ends once the disk has answered
# xattr(7). Only the machine's administrator can set the first, so no process in a container can. Without that right,
# the group was delegated to us, and gets the second.
OWNER_MARKS = ("trusted.orchestra.owner", "user.orchestra.owner")
# For warnings. Not the words of strerror(3): podman looks for those to tell which error there was.
REASONS = {
    ENOENT: "this machine has no such limit",
    EACCES: "it may not be set here",
    EPERM: "it may not be set here",
    EROFS: "control groups are read-only here",
    EOPNOTSUPP: "this machine does not support it",
}


class CgroupTree(Cgroup):
    def __init__(self, roots: Mapping[str, str], path: str, owner: str | None, scope: Scope | None) -> None:
        """roots: from controller, or '' for all of them, to mount point; several may share one."""
        self._path = path.strip("/")
        self._owner = owner
        self._scope = scope
        self._use(roots)
        self._below: dict[str, str] = {}

    def _use(self, roots: Mapping[str, str]) -> None:
        self._roots = tuple(dict.fromkeys(roots.values()))
        self._directories = {controller: f"{root}/{self._path}" for controller, root in roots.items()}

    def directory(self, controller: str) -> str:
        return self._directories.get(controller) or self._directories.get("") or ""

    def _unique(self) -> list[str]:
        return [f"{root}/{self._path}" for root in self._roots]

    def _make_directories(self, resources: Mapping[str, Any]) -> None:
        for directory in self._unique():
            if not self._is_ours(directory) and _processes([directory]):
                self._let_go()
                raise SystemCallError(EBUSY, "create", directory, "this cgroup contains processes of another owner")
        if self._scope is not None:
            try:
                self._scope.start(resources)
            except OSError:
                self._let_go()
                raise
        for root in self._roots:
            self._make(root, f"{root}/{self._path}")

    def _let_go(self) -> None:
        """The group belongs to another owner."""
        self._use({})
        self._scope = None

    def _make(self, root: str, directory: str) -> None:
        for _attempt in range(8):
            try:
                os.mkdir(directory)
                self._mark(directory)
                return
            except FileExistsError:
                if self._scope is not None:
                    self._mark(directory)
                    return
                # Left by a run whose shim was killed. The new run must not inherit its counters and processes.
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
                        break  # another process removed the empty parent: begin again
                    self._enable(parent)
        raise SystemCallError(EBUSY, "mkdir", directory, "processes of an earlier run do not end")

    def _enable(self, parent: str) -> None:
        """Prepare a directory between the root and the group."""

    def _mark(self, directory: str) -> None:
        if self._owner is None:
            return
        for name in OWNER_MARKS:
            try:
                os.setxattr(directory, name, os.fsencode(self._owner))
                return
            except OSError as error:
                if error.errno not in (EPERM, EOPNOTSUPP) or name == OWNER_MARKS[-1]:
                    raise

    def _is_ours(self, directory: str) -> bool:
        """False for a directory that does not exist or is not marked."""
        if self._owner is None:
            return True
        for name in OWNER_MARKS:
            try:
                return os.fsdecode(os.getxattr(directory, name)) == self._owner
            except OSError as error:
                if error.errno == ENOENT:
                    return False
                if error.errno not in (ENODATA, EOPNOTSUPP, EPERM):
                    raise
        return False

    def _apply(self, settings: Iterable[Setting]) -> list[str]:
        """Returns warnings.

        Some are valid only together with others, in an order that depends on the previous values: settings that are
        refused as invalid are tried again after the rest.
        """
        warnings: list[str] = []
        with _SettingFile() as file:
            refused = [setting for setting in settings if not self._write(file, setting, warnings, last=False)]
            for setting in refused:
                self._write(file, setting, warnings, last=True)
        return warnings

    def _write(self, file: _SettingFile, setting: Setting, warnings: list[str], *, last: bool) -> bool:
        directory = self._directories.get(setting.controller) or self._directories.get("")
        if directory is None:
            if not setting.optional:
                warnings.append(f"no cgroup controller {setting.controller!r}: {setting.file} is not applied")
            return True
        path = f"{directory}/{setting.file}"
        try:
            file.write(path, setting.value)
        except OSError as error:
            if error.errno == EINVAL and not last:
                return False
            if error.errno not in REASONS:
                raise SystemCallError(error.errno or 0, f"write {setting.value!r} to", path) from error
            if setting.otherwise is not None:
                return self._write(file, setting.otherwise, warnings, last=last)
            if not setting.optional:
                warnings.append(f"{setting.file} is not applied: {REASONS[error.errno]}")
        return True

    def below(self, paths: Mapping[str, str]) -> Cgroup:
        from copy import copy

        within = copy(self)
        within._below = {}
        for controller, path in sorted(paths.items()):
            if controller not in ("", *self._directories):
                raise SystemCallError(ENOENT, "cgroup", path, f"the container has no group of {controller!r}")
            for directory in [self._directories[controller]] if controller else self._unique():
                found = f"{directory}/{path.strip('/')}".rstrip("/")
                if ".." in path.split("/") or not os.path.isdir(found):
                    raise SystemCallError(ENOENT, "cgroup", found, "a group below the container's is expected")
                within._below[directory] = found
        return within

    def _entered(self) -> list[str]:
        """The directories that processes are forked into."""
        return [self._below.get(directory, directory) for directory in self._unique()]

    def processes(self) -> list[int]:
        return _processes(self._unique())

    def kill(self) -> None:
        deadline = time.monotonic() + REMOVE_SECONDS
        ours = [directory for directory in self._unique() if self._is_ours(directory)]
        while alive := _processes(ours):
            for pid in alive:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError as error:
                    if error.errno != ESRCH:
                        raise
            if time.monotonic() > deadline:
                raise SystemCallError(EBUSY, "kill", self._path, f"processes {alive} do not end")
            # Version 1 has no event for an empty group that a process could wait for.
            time.sleep(0.002)

    def _remove_tree(self, directory: str) -> None:
        for here, _below, _files in os.walk(directory, topdown=False):
            _remove_directory(here)

    def remove(self) -> None:
        for root in self._roots:
            directory = f"{root}/{self._path}"
            try:
                os.rmdir(directory)
            except FileNotFoundError:
                pass
            except OSError:
                if not self._is_ours(directory) and _processes([directory]):
                    self._scope = None
                    continue
                self.kill()
                self._remove_tree(directory)
            if self._scope is None:
                _remove_parents(root, directory)
        if self._scope is not None:
            self._scope.stop()


class _SettingFile:
    """The file that was written last stays open: a container has a dozen rules for devices, all in one file."""

    def __init__(self) -> None:
        self._path, self._fd = "", -1

    def __enter__(self) -> _SettingFile:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def write(self, path: str, value: str) -> None:
        """Raises OSError."""
        if path != self._path:
            opened = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            if self._fd >= 0:
                os.close(self._fd)
            self._path, self._fd = path, opened
        os.write(self._fd, value.encode())


def _processes(directories: Iterable[str]) -> list[int]:
    found: set[int] = set()
    for directory in directories:
        for here, _below, _files in os.walk(directory):
            try:
                with open(f"{here}/cgroup.procs") as file:
                    found.update(int(line) for line in file)
            except OSError as error:
                if error.errno not in (ENOENT, ENODEV, EOPNOTSUPP):
                    raise
    return sorted(found)


def _remove_parents(root: str, directory: str) -> None:
    parent = os.path.dirname(directory)
    while len(parent) > len(root):
        try:
            os.rmdir(parent)
        except FileNotFoundError:
            pass  # never made by a creation that was killed on the way down; its parents may exist
        except OSError:
            return  # it contains other groups
        parent = os.path.dirname(parent)


def read_file(path: str) -> str:
    """Empty if it does not exist, or its group has been removed since it was opened."""
    try:
        with open(path) as file:
            return file.read()
    except OSError as error:
        if error.errno not in (ENOENT, ENODEV):
            raise
        return ""


def count(path: str, key: str) -> int:
    """The number after ``key`` in a file of such lines; 0 if there is none."""
    for line in read_file(path).splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0


def _remove_directory(directory: str) -> None:
    """Processes that have just ended may keep the group busy for a moment."""
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
