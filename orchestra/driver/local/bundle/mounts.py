"""What is mounted over a container's root, in order: what every container has, then what this one asks for."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from orchestra.container.configuration import SUBPATH
from orchestra.container.proc_mounts import MOUNTABLE, is_inside
from orchestra.errors import FatalError
from orchestra.model.sharing import Bare, Host

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.driver.local.bundle.security import Security
    from orchestra.driver.local.bundle.world import HostFacts
    from orchestra.driver.local.volume import ResolvedMount
    from orchestra.model.container import ContainerSpec

Entry = dict[str, Any]

SHM_SIZE = 64 << 20
HOSTS_OWN = ("/dev/shm",)
TERMINAL_GROUP = "gid=5"
TMPFS_OPTIONS = ("nosuid", "noexec", "nodev")

# Docker's: destination, type, source, options.
DEFAULTS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("/proc", "proc", "proc", ("nosuid", "noexec", "nodev")),
    ("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    ("/dev/pts", "devpts", "devpts", ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", TERMINAL_GROUP)),
    ("/dev/shm", "tmpfs", "shm", (*TMPFS_OPTIONS, "mode=1777")),
    ("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev")),
    ("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
    ("/sys/fs/cgroup", "cgroup", "cgroup", ("nosuid", "noexec", "nodev", "ro")),
)
# Destination, and name of the file in the container's directory.
ETC_FILES = {"/etc/hosts": "hosts", "/etc/hostname": "hostname", "/etc/resolv.conf": "resolv.conf"}


def render_mounts(
    spec: ContainerSpec, mounts: Iterable[ResolvedMount], security: Security, host: HostFacts
) -> list[Entry]:
    """The mounts in an order in which none hides another: defaults first, the rest by depth.

    A default gives way to a mount at its place or above it; the files in /etc only to one at their place.
    """
    asked = {_target(mount, spec): mount for mount in mounts}
    found = [
        entry
        for entry in (_default(row, host) for row in DEFAULTS)
        if not any(is_within(entry["destination"], target) for target in asked)
    ]
    found = [entry for entry in found if _fit(entry, spec, security)]
    own = [_asked(target, mount) for target, mount in asked.items()]
    own += [_etc_file(path, name, spec) for path, name in ETC_FILES.items() if path not in asked]
    return [*found, *sorted(own, key=lambda entry: entry["destination"].count("/"))]


def map_owners(entries: Iterable[Entry]) -> None:
    """Have what is bound show the owners that its files have, as if the container had no users of its own."""
    for entry in entries:
        if entry["type"] == "bind" and entry["source"] not in HOSTS_OWN:
            entry["options"].append("idmap")


def is_within(path: str, parent: str) -> bool:
    """Whether ``path`` is ``parent`` or below it; both are normalised."""
    return path == parent or path.startswith(f"{parent.rstrip('/')}/")


def _target(mount: ResolvedMount, spec: ContainerSpec) -> str:
    target = posixpath.normpath(f"/{mount.target.lstrip('/')}")
    if not mount.target.startswith("/") or target == "/":
        message = f"service {spec.service}: cannot mount anything at {mount.target or 'an empty path'}"
        raise FatalError(message, hint="use an absolute path other than /")
    if is_inside(target):
        message = f"service {spec.service}: {mount.target} is inside /proc, where nothing may be mounted"
        raise FatalError(message, hint=f"use another target; inside /proc only {', '.join(MOUNTABLE)} are allowed")
    return target


def _default(row: tuple[str, str, str, tuple[str, ...]], host: HostFacts) -> Entry:
    destination, kind, source, options = row
    fitting = [option for option in options if not (host.only_root and option == TERMINAL_GROUP)]
    return {"destination": destination, "type": kind, "source": source, "options": fitting}


def _fit(entry: Entry, spec: ContainerSpec, security: Security) -> bool:
    """Adapt a default to what this container asks for; False if it asks for none."""
    options: list[str] = entry["options"]
    match entry["destination"]:
        case "/dev/shm" if isinstance(spec.ipc, Bare):
            return False
        case "/dev/shm" if isinstance(spec.ipc, Host):
            entry |= {"type": "bind", "source": "/dev/shm", "options": ["rbind", "rprivate"]}
        case "/dev/shm":
            options.append(f"size={spec.shm_size or SHM_SIZE}")
        case "/dev/mqueue" if isinstance(spec.ipc, Bare):
            return False
        case "/sys" if spec.privileged:
            options.remove("ro")
        case "/sys/fs/cgroup" if security.writable_cgroups:
            options.remove("ro")
    return True


def _asked(target: str, mount: ResolvedMount) -> Entry:
    """A read-only bind is so with everything mounted below its source, as in Docker, unless the file differs."""
    options = list(mount.options)
    if mount.read_only:
        options.append("rro" if mount.kind == "bind" and not mount.writable_below else "ro")
    entry = {"destination": target, "type": mount.kind, "source": mount.source, "options": options}
    return {**entry, SUBPATH: mount.subpath} if mount.subpath else entry


def _etc_file(path: str, name: str, spec: ContainerSpec) -> Entry:
    """The source is relative to the bundle."""
    options = ["rbind", "rprivate", *(("ro",) if spec.read_only else ())]
    return {"destination": path, "type": "bind", "source": name, "options": options}
