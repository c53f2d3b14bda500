"""The facts about the host that bundles depend on."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.bundle.resources import block_devices
from orchestra.driver.local.bundle.security import BUILT_IN, UNCONFINED, parse_security
from orchestra.driver.local.bundle.world import HostDevice, HostFacts
from orchestra.errors import FatalError
from orchestra.home import is_rootless
from orchestra.linux import cgroup, user_namespace
from orchestra.linux.security import capabilities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.model.container import ContainerSpec

# Below /dev: what belongs to one container or one terminal, and is made anew in each.
NOT_SHARED = ("pts", "shm", "fd", "mqueue", "console")


def observe_host(spec: ContainerSpec) -> HostFacts:
    """The facts that this container's bundle needs: devices are looked at only if it names them."""
    held = capabilities.held()
    named = {*(device.source for device in spec.devices), *block_devices(spec.resources.block_io)}
    named |= {node.host_path or node.path for node in spec.device_edits.nodes}
    return HostFacts(
        capabilities=tuple(name for name, number in capabilities.NUMBERS.items() if held >> number & 1),
        swap_accounting=_has_swap_accounting(),
        devices={path: tuple(_find_devices(path)) for path in sorted(named)},
        every_device=tuple(_find_devices("/dev")) if spec.privileged else (),
        machine=os.uname().machine,
        kernel=os.uname().release,
        seccomp_profile=_load_profile(spec),
        only_root=_is_root_alone(),
        every_group=user_namespace.is_initial(),
    )


def _is_root_alone() -> bool:
    if not is_rootless(os.environ):
        return False
    from orchestra.rootless.ids import is_root_alone

    return is_root_alone()


def _load_profile(spec: ContainerSpec) -> dict[str, Any] | None:
    path = parse_security(spec).seccomp
    if path in (UNCONFINED, BUILT_IN):
        return None
    try:
        with open(path, "rb") as file:
            found = json.load(file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        message = f"service {spec.service}: the seccomp profile {path} cannot be read: {reason}"
        raise FatalError(message, hint="give a JSON file in Docker's format, or the word unconfined") from error
    if not isinstance(found, dict):
        message = f"service {spec.service}: the seccomp profile {path} is not a JSON object"
        raise FatalError(message, hint="use Docker's format, which begins with defaultAction")
    return found


def _has_swap_accounting() -> bool:
    found = cgroup.machine_hierarchy()
    if found.version == 1:
        return os.path.exists(f"{found.v1.get('memory', '')}/memory.memsw.limit_in_bytes")
    return os.path.exists("/proc/swaps")


def _find_devices(path: str) -> Iterator[HostDevice]:
    """The node at ``path``, or the nodes below it; links are followed only for ``path`` itself."""
    try:
        status = os.stat(path)
    except OSError:
        return
    if stat.S_ISDIR(status.st_mode):
        yield from _walk(path, NOT_SHARED if path == "/dev" else ())
    elif found := _device(path, status):
        yield found


def _walk(directory: str, skipped: tuple[str, ...]) -> Iterator[HostDevice]:
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError:
        return  # removed meanwhile, or not readable
    for entry in entries:
        if entry.name in skipped or entry.is_symlink():
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, ())
            continue
        try:
            found = _device(entry.path, entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            continue
        if found:
            yield found


def _device(path: str, status: os.stat_result) -> HostDevice | None:
    kind = "c" if stat.S_ISCHR(status.st_mode) else "b" if stat.S_ISBLK(status.st_mode) else ""
    if not kind:
        return None
    major, minor = os.major(status.st_rdev), os.minor(status.st_rdev)
    return HostDevice(path, kind, major, minor, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
