"""What a container's mounts mean on this machine: each ``Mount`` with the place on the host that it shows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from orchestra.driver.local.volume.anonymous import anonymous_name, ensure_anonymous_volume
from orchestra.driver.local.volume.files import write_file
from orchestra.driver.local.volume.options import parse_driver_options
from orchestra.driver.local.volume.store import DATA, load_record, volume_path
from orchestra.errors import FatalError, TemporaryError
from orchestra.linux import resolve
from orchestra.linux.procfs import PROC_SUPER_MAGIC, file_system_kind
from orchestra.shim.proc_mounts import NO_PROC, PROC
from orchestra.state.desired import MountKind

if TYPE_CHECKING:
    from orchestra.home import Home
    from orchestra.state.desired import ContainerSpec, Mount

PROPAGATIONS = ("private", "rprivate", "slave", "rslave")
# What a tmpfs has unless the file says the opposite, and the word for that.
TMPFS_DEFAULTS = {"nosuid": "suid", "nodev": "dev", "noexec": "exec"}
TMPFS_MODE = "mode=1777"


@dataclass(frozen=True, slots=True)
class ResolvedMount:
    """A mount with nothing left to look up.

    kind: ``bind``, or a file system type. options: in the words of the OCI runtime spec, but for being read-only.
    fills: the volume that the image's content at ``target`` goes into while it is empty, or none.
    """

    target: str
    kind: str
    source: str
    options: tuple[str, ...] = ()
    read_only: bool = False
    fills: str = ""


def resolve_mounts(home: Home, stack: str, spec: ContainerSpec) -> tuple[ResolvedMount, ...]:
    """Makes what is missing and may be made: anonymous volumes, files, and sources of binds where the file allows it.

    Raises TemporaryError while a named volume is not there yet.
    """
    found = tuple(_resolve(home, stack, spec, mount) for mount in spec.mounts)
    for mount in found:
        if os.path.normpath(mount.target) == PROC and not _is_procfs(mount):
            message = f"service {spec.service}: {NO_PROC}, and this is none: {mount.source}"
            raise FatalError(message, hint="use another target: a container has a /proc of its own")
    return found


def _is_procfs(mount: ResolvedMount) -> bool:
    if mount.kind != "bind":
        return mount.kind == "proc"
    fd = os.open(mount.source, os.O_PATH | os.O_CLOEXEC)
    try:
        return file_system_kind(fd) == PROC_SUPER_MAGIC
    finally:
        os.close(fd)


def _resolve(home: Home, stack: str, spec: ContainerSpec, mount: Mount) -> ResolvedMount:
    match mount.kind:
        case MountKind.BIND:
            return _bind(spec, mount)
        case MountKind.VOLUME:
            if mount.source in ("", anonymous_name(stack, spec.name, mount.target)):
                return _volume(home, spec, mount, ensure_anonymous_volume(home, stack, spec.name, mount.target))
            return _volume(home, spec, mount, mount.source)
        case MountKind.TMPFS:
            return _tmpfs(mount)
        case MountKind.FILE:
            source = write_file(home.stack(stack).container(spec.name), spec, mount)
            return ResolvedMount(mount.target, "bind", source, ("rbind", "rprivate"), read_only=True)
        case _:
            assert_never(mount.kind)


def _bind(spec: ContainerSpec, mount: Mount) -> ResolvedMount:
    if not os.path.exists(mount.source):
        if not mount.create_host_path:
            what = f"{mount.declared}: " if mount.declared else ""
            message = f"service {spec.service}: {what}{mount.source}, to be mounted at {mount.target}, does not exist"
            other = "mend its path" if mount.declared else "set bind.create_host_path to have a directory made"
            raise FatalError(message, hint=f"create it, or {other}")
        try:
            os.makedirs(mount.source, exist_ok=True)
        except OSError as error:
            message = f"service {spec.service}: {mount.source}, to be mounted at {mount.target}: {error.strerror}"
            raise FatalError(message, hint="create it by hand") from error
    options = ("rbind", _propagation(spec, mount))
    return ResolvedMount(mount.target, "bind", mount.source, options, mount.read_only)


def _propagation(spec: ContainerSpec, mount: Mount) -> str:
    if not mount.propagation or mount.propagation in PROPAGATIONS:
        return mount.propagation or "rprivate"
    message = f"service {spec.service}: the propagation {mount.propagation} of {mount.target} cannot be had"
    hint = f"use one of {', '.join(PROPAGATIONS)}; mounts made in a container never reach the host"
    raise FatalError(message, hint=hint)


def _volume(home: Home, spec: ContainerSpec, mount: Mount, name: str) -> ResolvedMount:
    record = load_record(home, name)
    if record is None:
        raise TemporaryError(f"service {spec.service}: volume {name} does not exist yet")
    place = parse_driver_options(name, record.driver_options)
    if place is None:
        data = f"{volume_path(home, name)}/{DATA}"
        fills = "" if mount.no_copy or mount.subpath else name
        options = ("rbind", _propagation(spec, mount))
        return ResolvedMount(mount.target, "bind", _below(data, spec, mount), options, mount.read_only, fills)
    read_only = mount.read_only or place.read_only
    if place.kind != "bind":
        if mount.subpath:
            message = (
                f"service {spec.service}: a subpath of volume {name} cannot be mounted: it is of type {place.kind}"
            )
            raise FatalError(message, hint="name the subpath in the volume's device, if its type allows it")
        return ResolvedMount(mount.target, place.kind, place.source, place.options, read_only)
    if not os.path.isdir(place.source):
        message = f"volume {name}: its device {place.source} is no directory of this machine"
        raise FatalError(message, hint="create it, or change driver_opts.device")
    source = _below(place.source, spec, mount)
    return ResolvedMount(mount.target, "bind", source, (*place.options, _propagation(spec, mount)), read_only)


def _below(data: str, spec: ContainerSpec, mount: Mount) -> str:
    """The place of ``subpath`` below ``data``: symbolic links in it, perhaps a container's, stay within."""
    if not mount.subpath:
        return data
    what = f"service {spec.service}: the subpath {mount.subpath} of volume {mount.source}"
    if mount.subpath.startswith("/") or ".." in mount.subpath.split("/"):
        raise FatalError(f"{what} leads out of it", hint="a subpath is relative, without ..")
    try:
        root = os.open(data, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fd = resolve.open_in_root(root, mount.subpath)
            try:
                return os.readlink(f"/proc/self/fd/{fd}")
            finally:
                os.close(fd)
        finally:
            os.close(root)
    except OSError as error:
        raise FatalError(f"{what}: {error.strerror}", hint="create it in the volume first") from error


def _tmpfs(mount: Mount) -> ResolvedMount:
    asked = mount.tmpfs_options
    options = [word for word, opposite in TMPFS_DEFAULTS.items() if not {word, opposite}.intersection(asked)]
    if not any(word.startswith("mode=") for word in asked):
        options.append(TMPFS_MODE)
    return ResolvedMount(mount.target, "tmpfs", "tmpfs", (*options, *asked), mount.read_only)
