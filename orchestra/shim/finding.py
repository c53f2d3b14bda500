"""Finding a running container again if its record is damaged: its control group tells which process is its first.

Without a group, its processes are those whose root writes to the container's snapshot.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from orchestra.container.directory import DamagedFile
from orchestra.container.settings import load_settings
from orchestra.linux import cgroup, process
from orchestra.linux.mounts.roots import processes_over

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.container.directory import ContainerDirectory
    from orchestra.linux.cgroup import Cgroup
    from orchestra.linux.process import Process


def group_of(files: ContainerDirectory) -> Cgroup:
    """The container's group; an object without a group if its configuration is damaged or names none."""
    linux = files.load_sound("config.json").get("linux")
    path = linux.get("cgroupsPath") if isinstance(linux, dict) else None
    # Another runtime's group is not marked as ours.
    try:
        is_others = bool(load_settings(files).runtime)
    except (FileNotFoundError, DamagedFile):
        is_others = False
    return cgroup.at(path if isinstance(path, str) else "", owner=None if is_others else files.path)


def find_again(files: ContainerDirectory, *, gone: bool = False) -> bool:
    """Write ``state.json`` anew if it is damaged. Returns whether it was, and the container has been found.

    gone: write it even if there is no container. The caller must know that the container is not just being made.
    """
    if not (gone or files.has("state.json")) or files.load_process("state.json") or files.has("exit.json"):
        return False
    first = _first_process(group_of(files).processes() or list(processes_over(_uppers(files))))
    if first is None:
        return False
    pid, start_time = first
    born = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + start_time / os.sysconf("SC_CLK_TCK")
    try:
        files.store("state.json", {"pid": pid, "start_time": start_time, "started_at": born})
    except FileNotFoundError:
        return False  # its directory is being removed: there is no such container any more
    return True


def _uppers(files: ContainerDirectory) -> list[str]:
    """Where its root writes to; none if its settings are damaged."""
    try:
        layers = load_settings(files).rootfs
    except (FileNotFoundError, DamagedFile):
        return []
    options = [option for layer in layers if "target" not in layer for option in layer["options"]]
    found = [option.removeprefix("upperdir=") for option in options if option.startswith("upperdir=")]
    return found or [layer["source"] for layer in layers if layer["type"] == "bind"]


def _first_process(pids: list[int]) -> Process | None:
    """The oldest: whatever else is in the group was started by it, or executed later."""
    found: list[Process] = []
    for pid in pids:
        with suppress(ProcessLookupError, FileNotFoundError):
            found.append(process.identify(pid))
    return min(found, key=lambda each: (each.start_time, each.pid), default=None)
