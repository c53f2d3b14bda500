"""Groups of the resctrl file system (Intel RDT): parts of the last-level cache and of the memory bandwidth.

Sources: the kernel's filesystems/resctrl; OCI runtime specification 1.2, config-linux, "IntelRdt".
"""

from __future__ import annotations

import os
from errno import EEXIST, EINVAL, ENODEV, ENOENT, ENOTSUP
from typing import Any

from orchestra.linux.mounts.mountinfo import load_mounts
from orchestra.linux.syscall import SystemCallError
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RESERVED = ("", ".", "..", "info", "mon_groups", "mon_data")
# Each monitor needs any of these features of the kernel.
MONITORS = {"enableCMT": {"llc_occupancy"}, "enableMBM": {"mbm_total_bytes", "mbm_local_bytes"}}


class Group(NamedTuple):
    """schemata: the lines it should get; monitor: a group below it that only counts, or empty.

    is_anothers: there are no schemata for it, so it must exist already.
    """

    directory: str
    schemata: tuple[str, ...]
    monitor: str
    is_anothers: bool

    @property
    def directories(self) -> list[str]:
        return [self.directory, *([self.monitor] if self.monitor else [])]

    def missing(self) -> list[str]:
        """The groups that ``create`` will make."""
        return [directory for directory in self.directories if not os.path.isdir(directory)]


def find_root() -> str:
    """Its mount point. ENODEV if this machine has none."""
    for mount in load_mounts():
        if mount.kind == "resctrl":
            return mount.point
    raise SystemCallError(ENODEV, "config", "linux.intelRdt", "no resctrl file system is mounted on this machine")


def plan(wanted: Mapping[str, Any], name: str) -> Group:
    """``linux.intelRdt`` of the container called ``name``, on this machine."""
    root = find_root()
    for key, features in MONITORS.items():
        if wanted.get(key) and not features & set(_read(f"{root}/info/L3_MON/mon_features").split()):
            raise SystemCallError(ENOTSUP, "config", f"linux.intelRdt.{key}", "this processor does not count it")
    return plan_group(wanted, name, root)


def plan_group(wanted: Mapping[str, Any], name: str, root: str) -> Group:
    """root: the mount point of the file system."""
    identity = wanted.get("closID") or name
    if "/" in identity or "\n" in identity or identity in RESERVED:
        raise SystemCallError(EINVAL, "config", "linux.intelRdt.closID", f"{identity!r} is no name for a group")
    lines = [line for line in (wanted.get("l3CacheSchema") or "").splitlines() if line.strip()]
    bandwidth = wanted.get("memBwSchema") or ""
    if bandwidth:
        if not bandwidth.startswith("MB:") or "\n" in bandwidth:
            raise SystemCallError(EINVAL, "config", "linux.intelRdt.memBwSchema", "one line that begins with MB:")
        lines = [*(line for line in lines if not line.strip().startswith("MB:")), bandwidth]
    directory = f"{root}/{identity}"
    monitored = any(wanted.get(key) for key in MONITORS)
    monitor = f"{directory}/mon_groups/{name}" if monitored else ""
    return Group(directory, tuple(lines), monitor, bool(wanted.get("closID")) and not lines)


def create(group: Group) -> None:
    """Make what is missing. An existing group must have these schemata already."""
    if os.path.isdir(group.directory):
        _compare(group)
    elif group.is_anothers:
        raise SystemCallError(ENOENT, "config", group.directory, "there is no such group, and no schema to make it by")
    else:
        os.mkdir(group.directory)
        if group.schemata:
            _write(f"{group.directory}/schemata", "".join(f"{line}\n" for line in group.schemata), group.directory)
    if group.monitor:
        os.makedirs(group.monitor, exist_ok=True)


def _compare(group: Group) -> None:
    there = parse_schemata(_read(f"{group.directory}/schemata").splitlines())
    for resource, domains in parse_schemata(group.schemata).items():
        if domains.items() - there.get(resource, {}).items():
            raise SystemCallError(EEXIST, "config", group.directory, f"the group is there with another {resource}")


def parse_schemata(lines: Iterable[str]) -> dict[str, dict[str, int]]:
    """``L3:0=ff;1=f`` as the resource, the domain and its value: a bit mask, or for ``MB`` a number."""
    found: dict[str, dict[str, int]] = {}
    for line in lines:
        resource, _, domains = line.strip().partition(":")
        pairs = (domain.strip().partition("=") for domain in domains.split(";") if domain.strip())
        base = 10 if resource == "MB" else 16
        try:
            found[resource] = {domain: int(value, base) for domain, _, value in pairs}
        except ValueError:
            raise SystemCallError(EINVAL, "config", "linux.intelRdt", f"{line!r} is no schema") from None
    return found


def enter(directories: Iterable[str], pid: int) -> None:
    """Put a process in, and so all its later children."""
    for directory in directories:
        _write(f"{directory}/tasks", str(pid), directory)


def remove(directories: Iterable[str], name: str) -> None:
    """Remove those made for the container called ``name``; those with another name stay while they are in use."""
    for directory in reversed(list(directories)):
        if os.path.basename(directory) == name or not _read(f"{directory}/tasks").split():
            try:
                os.rmdir(directory)
            except FileNotFoundError:
                continue


def _write(path: str, text: str, group: str) -> None:
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError as error:
        said = _read(f"{os.path.dirname(group)}/info/last_cmd_status").strip()
        raise SystemCallError(error.errno or EINVAL, f"write {text.strip()!r} to", path, said) from error


def _read(path: str) -> str:
    """Empty if there is no such file."""
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""
