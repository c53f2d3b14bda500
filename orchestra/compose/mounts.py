"""``volumes``, ``tmpfs``, ``volumes_from``, ``configs`` and ``secrets`` of a service to ``Mount``s."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

from orchestra.compose.api_socket import api_mounts
from orchestra.compose.image_references import locate_image
from orchestra.compose.tmpfs import parse_tmpfs_options
from orchestra.model.container import VolumeSource
from orchestra.model.mount import ApiMount, BindMount, FileMount, ImageMount, Mount, TmpfsMount, VolumeMount
from orchestra.model.names import ServiceName
from orchestra.model.sharing import OfContainer, OfService
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.mounts import FileReference, ServiceVolume, TmpfsOptions
    from orchestra.compose.schema.service import Service
    from orchestra.compose.schema.stack import FileObject

Mounts = tuple[Mount, ...]


def mounts(key: str, known: Mapping[str, Mounts], context: Context) -> Mounts:
    """Every mount of a service. For a target that is named twice, the last entry wins.

    known: the mounts of the services that it depends on.
    """
    found: dict[str, Mount] = {}
    for mount in (*_inherited(key, known, context), *_own(key, context)):
        found[mount.target] = mount
    return tuple(found.values())


def _own(key: str, context: Context) -> list[Mount]:
    service = context.stack.services[key]
    path: Path = ("services", key)
    found: list[Mount] = [*api_mounts(service)]
    found += (
        mount
        for index, volume in enumerate(service.volumes)
        if (mount := _volume(volume, (*path, "volumes", index), context))
    )
    found += map(_tmpfs, service.tmpfs)
    found += _files(service, "configs", path, context)
    found += _files(service, "secrets", path, context)
    return found


def _volume(volume: ServiceVolume, path: Path, context: Context) -> Mount | None:
    target, source, bind = volume.target or "", volume.source or "", volume.bind
    propagation = (bind.propagation or "") if bind else ""
    match volume.type:
        case "bind":
            return BindMount(
                target,
                os.path.normpath(source),
                volume.read_only,
                create_host_path=bool(bind and bind.create_host_path),
                propagation=propagation,
                recursive=(bind.recursive or "").replace("enabled", "") if bind else "",
            )
        case "volume":
            declared, options = context.stack.volumes.get(source), volume.volume
            return VolumeMount(
                target,
                (declared.name if declared else None) or source,
                volume.read_only,
                propagation=propagation,
                subpath=(options.subpath or "") if options else "",
                no_copy=bool(options and options.nocopy),
                labels=dict((options.labels if options else None) or {}),
            )
        case "tmpfs":
            return TmpfsMount(target, _tmpfs_options(volume.tmpfs) if volume.tmpfs else (), volume.read_only)
        case "image":
            subpath = (volume.image.subpath or "") if volume.image else ""
            return ImageMount(target, locate_image(source, context), subpath)
        case other:  # for another system
            context.problems.not_apply(f"mounts of type {other} are not supported", context.span(path), path)
            return None


def _tmpfs_options(tmpfs: TmpfsOptions) -> tuple[str, ...]:
    """As in Docker, a size of 0 sets no limit."""
    size = () if not tmpfs.size else (f"size={tmpfs.size}",)
    return size if tmpfs.mode is None else (*size, f"mode={tmpfs.mode:o}")


def _tmpfs(text: str) -> TmpfsMount:
    """``/run:size=64m,mode=1777``."""
    target, _, options = text.partition(":")
    read_only, words, _ = parse_tmpfs_options(options)
    return TmpfsMount(target, words, read_only)


def _inherited(key: str, known: Mapping[str, Mounts], context: Context) -> list[Mount]:
    """The mounts of the services named in ``volumes_from``, without anonymous volumes: only containers have those."""
    found: list[Mount] = []
    for index, entry in enumerate(context.stack.services[key].volumes_from):
        name, _, mode = entry.partition(":")
        path = ("services", key, "volumes_from", index)
        taken = [mount for mount in known.get(name, ()) if _may_be_lent(mount)]
        if not context.problems.may_make(len(taken)):
            message = "the stack has too many mounts"
            context.problems.error("invalid-value", message, context.span(path), path)
            break
        found += map(_read_only, taken) if mode == "ro" else taken
    return found


def _may_be_lent(mount: Mount) -> bool:
    return not (isinstance(mount, TmpfsMount | ApiMount) or (isinstance(mount, VolumeMount) and not mount.name))


def volume_sources(service: Service) -> tuple[VolumeSource, ...]:
    """``volumes_from``: ``SERVICE[:ro|rw]`` or ``container:NAME[:ro|rw]``."""
    found: list[VolumeSource] = []
    for entry in service.volumes_from:
        name, *rest = entry.split(":")
        whose: OfService | OfContainer = OfService(ServiceName(name))
        if name == "container" and rest:
            whose = OfContainer(rest.pop(0))
        found.append(VolumeSource(whose, read_only=rest == ["ro"]))
    return tuple(found)


def _read_only(mount: Mount) -> Mount:
    return mount if isinstance(mount, FileMount | ImageMount | ApiMount) else replace(mount, read_only=True)


def _files(service: Service, attribute: str, path: Path, context: Context) -> list[Mount]:
    """Configs and secrets: files of the host, bound read-only, or files of the container's own."""
    entries: tuple[FileReference, ...] = getattr(service, attribute)
    declared: dict[str, FileObject] = getattr(context.stack, attribute)
    found: list[Mount] = []
    for index, entry in enumerate(entries):
        definition = declared.get(entry.source or "")
        if definition is None:
            continue
        place = (*path, attribute, index)
        target = entry.target or entry.source or ""
        if not target.startswith("/"):
            target = f"/run/secrets/{target}" if attribute == "secrets" else f"/{target}"
        declaration = f"{attribute[:-1]} {entry.source}"
        if refusal := _refusal(attribute, declaration, definition):
            found.append(FileMount(target, declared=declaration, refusal=refusal))
            continue
        found.append(_file(target, entry, definition, (attribute, entry.source or ""), place, context))
    return found


def _refusal(attribute: str, declaration: str, definition: FileObject) -> str:
    """Why a config or secret cannot be mounted, as in Docker Compose; empty if it can."""
    if definition.external:
        return f"unsupported external {declaration}: there is no store of configs and secrets"
    for name in ("driver", "template_driver"):
        if getattr(definition, name):
            return f"unsupported {name} of {declaration}: {attribute}.*.{name} is for Swarm"
    return ""


def _file(
    target: str, entry: FileReference, definition: FileObject, declared: tuple[str, str], place: Path, context: Context
) -> Mount:
    uid, gid = (_number(entry, name, place, context) for name in ("uid", "gid"))
    mode = None if entry.mode is None else int(entry.mode)
    declaration = f"{declared[0][:-1]} {declared[1]}"
    if definition.file and context.reader.is_for_another_machine:
        return FileMount(target, "", _given(definition.file, declared, context), uid, gid, mode, declaration)
    if definition.file and uid is gid is mode is None:
        return BindMount(target, definition.file, read_only=True, declared=declaration)
    content = definition.content
    if definition.environment:
        content = context.project.content_of(*declared, definition.environment)
        if content is None:
            at = (*declared, "environment")
            message = f"the variable {definition.environment}, which is to be mounted at {target}, is not set"
            hint = f"set {definition.environment} in the environment or in .env"
            context.problems.warn("unset-variable", message, context.span(at), at, hint)
    return FileMount(target, definition.file or "", content, uid, gid, mode, declaration)


def _given(path: str, declared: tuple[str, str], context: Context) -> str | None:
    """The content of a file of the machine that the request comes from."""
    content = context.reader.read(os.path.normpath(path))
    if content is not None:
        return content.decode(errors="surrogateescape")
    at = (*declared, "file")
    message = f"{path} is not a file of at most 4 MiB, and so cannot be taken to another machine"
    context.problems.error("not-on-the-host", message, context.span(at), at, "put it there, and mount it as a volume")
    return None


def _number(entry: FileReference, name: str, place: Path, context: Context) -> int | None:
    text = getattr(entry, name)
    if not text or (text.isdecimal() and text.isascii() and int(text[:20]) < 2**32 - 1):
        return int(text) if text else None
    at = (*place, name)
    context.problems.not_apply(f"{name}: {text} is not a valid number for the kernel", context.span(at), at)
    return None
