"""Mounts of a new container: ``Binds``, ``Mounts``, ``Tmpfs`` and ``Volumes`` of its definition. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.tmpfs import parse_tmpfs_options
from orchestra.engine_api.errors import bad_request
from orchestra.model.mount import BindMount, ImageMount, Mount, TmpfsMount, VolumeMount

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PROPAGATIONS = frozenset(("private", "rprivate", "shared", "rshared", "slave", "rslave"))


def read_mounts(config: Mapping[str, Any], host: Mapping[str, Any]) -> tuple[Mount, ...]:
    """Of several for one target, ``Mounts`` counts more than ``Binds``, and anonymous volumes count least.

    Raises ApiError.
    """
    mounts: list[Mount] = [VolumeMount(_target(target)) for target in config.get("Volumes") or ()]
    mounts += [_tmpfs(target, options or "") for target, options in (host.get("Tmpfs") or {}).items()]
    mounts += [_bind(text) for text in host.get("Binds") or ()]
    mounts += [_mount(each) for each in host.get("Mounts") or ()]
    return tuple({mount.target: mount for mount in mounts}.values())


def volume_names(mounts: tuple[Mount, ...]) -> list[str]:
    return [mount.name for mount in mounts if isinstance(mount, VolumeMount) and mount.name]


def _target(path: str) -> str:
    if not path.startswith("/"):
        raise bad_request(f"invalid mount path: '{path}' mount path must be absolute")
    return path.rstrip("/") or "/"


def _bind(text: str) -> Mount:
    source, *rest = text.split(":")
    if not rest:
        return VolumeMount(_target(source))
    target, words = _target(rest[0]), ":".join(rest[1:]).split(",") if rest[1:] else []
    read_only = "ro" in words
    propagation = next((word for word in words if word in PROPAGATIONS), "")
    if source.startswith("/"):
        return BindMount(target, source, read_only, create_host_path=True, propagation=propagation)
    return VolumeMount(target, source, read_only, no_copy="nocopy" in words)


def _mount(mount: Mapping[str, Any]) -> Mount:
    kind, source = mount.get("Type"), str(mount.get("Source") or "")
    target, read_only = _target(str(mount.get("Target") or "")), bool(mount.get("ReadOnly"))
    match kind:
        case "bind":
            options = mount.get("BindOptions") or {}
            if not source.startswith("/"):
                raise bad_request(f"invalid mount config for type \"bind\": invalid mount path: '{source}'")
            return BindMount(
                target,
                source,
                read_only,
                create_host_path=bool(options.get("CreateMountpoint")),
                propagation=options.get("Propagation") or "",
                recursive="disabled" if options.get("NonRecursive") else "",
            )
        case "volume":
            options = mount.get("VolumeOptions") or {}
            return VolumeMount(
                target,
                source,
                read_only,
                subpath=options.get("Subpath") or "",
                no_copy=bool(options.get("NoCopy")),
                labels={} if source else options.get("Labels") or {},
            )
        case "tmpfs":
            options = mount.get("TmpfsOptions") or {}
            size, mode = options.get("SizeBytes"), options.get("Mode")
            words = [f"size={size}"] if size else []
            words += [f"mode={mode:o}"] if mode else []
            return _tmpfs(target, ",".join([*words, "ro" if read_only else "rw"]))
        case "image":
            return ImageMount(target, source, (mount.get("ImageOptions") or {}).get("Subpath") or "")
    raise bad_request(f"mount type unknown: {kind!r}")


def _tmpfs(target: str, text: str) -> TmpfsMount:
    options = parse_tmpfs_options(text)
    if options.problems:
        raise bad_request(f"tmpfs {target}: {options.problems[0]}")
    return TmpfsMount(_target(target), options.words, options.read_only)
