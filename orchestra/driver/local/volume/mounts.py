"""What a container's mounts mean on this machine: each ``Mount`` with its place on the host."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, assert_never

from orchestra.container.configuration import SUBPATH
from orchestra.container.mounts import open_below
from orchestra.container.proc_mounts import NO_PROC, PROC
from orchestra.driver.local.volume.anonymous import anonymous_name, ensure_anonymous_volume
from orchestra.driver.local.volume.files import check_file, write_file
from orchestra.driver.local.volume.options import parse_driver_options
from orchestra.driver.local.volume.store import DATA, load_record, volume_path
from orchestra.errors import FatalError, TemporaryError
from orchestra.linux import private_files
from orchestra.linux.directory_lock import locked
from orchestra.linux.mounts.procfs import PROC_SUPER_MAGIC, file_system_kind
from orchestra.model.mount import ApiMount, BindMount, FileMount, ImageMount, TmpfsMount, VolumeMount
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from orchestra.home import Home
    from orchestra.model.container import ContainerSpec
    from orchestra.model.mount import Mount

MAKE_SUBPATH = "create it in the volume first"
PROPAGATIONS = ("private", "rprivate", "slave", "rslave")
# The options of a tmpfs, unless the file has the opposite, and the word for that.
TMPFS_DEFAULTS = {"nosuid": "suid", "nodev": "dev", "noexec": "exec"}
TMPFS_MODE = "mode=1777"


class ResolvedMount(Record):
    """A mount with nothing left to look up.

    kind: ``bind``, or a file system type. options: in the words of the OCI runtime spec, but for being read-only.
    subpath: of a bind, the path below ``source`` that is looked up when the container starts. fills: the volume that
    the image's content at ``target`` goes into while it is empty, or none. writable_below: a read-only bind leaves the
    mounts below its source as they are.
    """

    target: str
    kind: str
    source: str
    options: tuple[str, ...] = ()
    read_only: bool = False
    subpath: str = ""
    fills: str = ""
    writable_below: bool = False


def resolve_mounts(
    home: Home, stack: str, spec: ContainerSpec, images: Mapping[str, ResolvedMount]
) -> tuple[ResolvedMount, ...]:
    """images: those of images, by target.

    Makes what is missing and may be made: anonymous volumes, files, and sources of binds if the file allows it.
    Sources that a dependency may still make are looked for when the container starts. Raises TemporaryError while a
    named volume is missing. A volume that is found stays: the container's record, which names it, is there already.
    """
    private_files.make_directories(home.data)
    with locked(home.data, shared=True):
        found = tuple(images.get(mount.target) or _resolve(home, stack, spec, mount) for mount in spec.mounts)
    for mount in found:
        if os.path.normpath(mount.target) == PROC and not _is_procfs(mount):
            message = f"service {spec.service}: {NO_PROC}, and this is none: {mount.source}"
            raise FatalError(message, hint="use another target: a container has a /proc of its own")
    return found


def _is_procfs(mount: ResolvedMount) -> bool:
    """For a source that does not exist yet, the start will find out."""
    if mount.kind != "bind" or not os.path.exists(mount.source):
        return mount.kind in ("proc", "bind")
    fd = os.open(mount.source, os.O_PATH | os.O_CLOEXEC)
    try:
        return file_system_kind(fd) == PROC_SUPER_MAGIC
    finally:
        os.close(fd)


def _resolve(home: Home, stack: str, spec: ContainerSpec, mount: Mount) -> ResolvedMount:
    match mount:
        case BindMount():
            return _bind(spec, mount)
        case VolumeMount():
            if mount.name in ("", anonymous_name(stack, spec.anonymous_owner, mount.target)):
                name = ensure_anonymous_volume(home, stack, spec.anonymous_owner, mount.target, mount.labels)
                return _volume(home, spec, mount, name)
            return _volume(home, spec, mount, mount.name)
        case TmpfsMount():
            return _tmpfs(mount)
        case ImageMount():
            raise AssertionError(f"{mount.image} is mounted, and is not among the images")
        case FileMount():
            source = write_file(home.stack(stack).container(spec.name), spec, mount)
            return ResolvedMount(mount.target, "bind", source, ("rbind", "rprivate"), read_only=True)
        case ApiMount():
            return ResolvedMount(
                mount.target, "bind", home.stack(stack).api_socket(mount.access), ("rbind", "rprivate")
            )
        case unreachable:
            assert_never(unreachable)


def check_sources(home: Home, stack: str, spec: ContainerSpec, *, settled: bool = True) -> None:
    """Check what the container's mounts need on the host when the container starts. Makes nothing.

    settled: its dependencies have made whatever they make. Raises TemporaryError while a named volume is missing, else
    FatalError.
    """
    for mount in spec.mounts:
        match mount:
            case BindMount():
                _check_bind(spec, mount, starting=settled)
            case VolumeMount():
                if mount.name not in ("", anonymous_name(stack, spec.anonymous_owner, mount.target)):
                    _volume(home, spec, mount, mount.name, starting=settled)
            case FileMount():
                check_file(spec, mount)
            case ApiMount():
                _check_api(spec)
            case TmpfsMount() | ImageMount():
                pass
            case unreachable:
                assert_never(unreachable)


def _check_api(spec: ContainerSpec) -> None:
    from importlib.util import find_spec

    if find_spec("h11") is None:
        message = f"service {spec.service}: use_api_socket needs the package h11"
        raise FatalError(message, hint="pip install 'orchestra[api]'")


def _check_bind(spec: ContainerSpec, mount: BindMount, *, starting: bool) -> None:
    if os.path.exists(mount.source):
        return
    what = f"{mount.declared}: " if mount.declared else ""
    message = f"service {spec.service}: {what}{mount.source}, to be mounted at {mount.target}"
    if mount.create_host_path:
        above = mount.source
        while not os.path.lexists(above):
            above = os.path.dirname(above)
        if not os.path.isdir(above):
            raise FatalError(f"{message}: {above} is not a directory", hint="correct its path")
    elif starting or not spec.depends_on:
        other = "correct its path" if mount.declared else "set bind.create_host_path to create a directory"
        raise FatalError(f"{message}, does not exist", hint=f"create it, or {other}")


def _bind(spec: ContainerSpec, mount: BindMount) -> ResolvedMount:
    _check_bind(spec, mount, starting=False)
    if mount.create_host_path and not os.path.exists(mount.source):
        try:
            os.makedirs(mount.source, exist_ok=True)
        except OSError as error:
            message = f"service {spec.service}: {mount.source}, to be mounted at {mount.target}: {error.strerror}"
            raise FatalError(message, hint="create it by hand") from error
    options = ("bind" if mount.recursive == "disabled" else "rbind", _propagation(spec, mount))
    writable = mount.recursive == "writable"
    return ResolvedMount(mount.target, "bind", mount.source, options, mount.read_only, writable_below=writable)


def _propagation(spec: ContainerSpec, mount: BindMount | VolumeMount) -> str:
    if not mount.propagation or mount.propagation in PROPAGATIONS:
        return mount.propagation or "rprivate"
    message = f"service {spec.service}: propagation {mount.propagation} of {mount.target} is not supported"
    hint = f"use one of {', '.join(PROPAGATIONS)}; mounts made in a container never reach the host"
    raise FatalError(message, hint=hint)


def _volume(home: Home, spec: ContainerSpec, mount: VolumeMount, name: str, *, starting: bool = False) -> ResolvedMount:
    must_exist = starting or not spec.depends_on
    record = load_record(home, name)
    if record is None:
        raise TemporaryError(f"service {spec.service}: volume {name} does not exist yet")
    place = parse_driver_options(name, record.driver_options)
    if place is None:
        data = f"{volume_path(home, name)}/{DATA}"
        fills = "" if mount.no_copy or mount.subpath else name
        options = ("rbind", _propagation(spec, mount))
        subpath = _subpath(data, spec, mount, must_exist)
        return ResolvedMount(mount.target, "bind", data, options, mount.read_only, subpath, fills)
    read_only = mount.read_only or place.read_only
    if place.kind != "bind":
        if mount.subpath:
            message = f"service {spec.service}: cannot mount a subpath of volume {name}, which is of type {place.kind}"
            raise FatalError(message, hint="put the subpath in the volume's device, if its type allows that")
        return ResolvedMount(mount.target, place.kind, place.source, place.options, read_only)
    if not os.path.isdir(place.source) and must_exist:
        message = f"volume {name}: its device {place.source} is not a directory on this machine"
        raise FatalError(message, hint="create it, or change driver_opts.device")
    shown = (*place.options, _propagation(spec, mount))
    subpath = _subpath(place.source, spec, mount, must_exist)
    return ResolvedMount(mount.target, "bind", place.source, shown, read_only, subpath)


def _subpath(data: str, spec: ContainerSpec, mount: VolumeMount, must_exist: bool) -> str:
    """``subpath`` of ``data``, checked as far as it can be before the start."""
    if not mount.subpath:
        return ""
    what = f"service {spec.service}: the subpath {mount.subpath} of volume {mount.name}"
    if mount.subpath.startswith("/") or ".." in mount.subpath.split("/"):
        raise FatalError(f"{what} leads outside the volume", hint="use a relative path without ..")
    if must_exist:
        try:
            os.close(open_below(data, mount.subpath, about=mount.target))
        except OSError as error:
            raise FatalError(f"{what}: {error.strerror}", hint=MAKE_SUBPATH) from error
    return mount.subpath


def explain_missing(service: str, entries: Iterable[Mapping[str, Any]]) -> FatalError | None:
    """The missing source in ``mounts``, as the bundle has them, that kept a container from starting."""
    for entry in entries:
        source, path = entry["source"], entry.get(SUBPATH, "")
        if entry["type"] != "bind" or not source.startswith("/"):
            continue
        if not os.path.exists(source):
            message = f"service {service}: {source}, to be mounted at {entry['destination']}, does not exist"
            return FatalError(message, hint="create it, or correct its path")
        if path:
            try:
                os.close(open_below(source, path, about=entry["destination"]))
            except OSError as error:
                name = os.path.basename(source.removesuffix(f"/{DATA}"))
                message = f"service {service}: the subpath {path} of volume {name}: {error.strerror}"
                return FatalError(message, hint=MAKE_SUBPATH)
    return None


def _tmpfs(mount: TmpfsMount) -> ResolvedMount:
    asked = mount.options
    options = [word for word, opposite in TMPFS_DEFAULTS.items() if not {word, opposite}.intersection(asked)]
    if not any(word.startswith("mode=") for word in asked):
        options.append(TMPFS_MODE)
    return ResolvedMount(mount.target, "tmpfs", "tmpfs", (*options, *asked), mount.read_only)
