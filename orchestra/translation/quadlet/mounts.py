"""What is mounted: volumes, paths of this machine, memory, configs and secrets."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from orchestra.translation.quadlet.unit import whole, words
from orchestra.translation.reading import read_tmpfs

if TYPE_CHECKING:
    from orchestra.translation.ledger import Given
    from orchestra.translation.quadlet.names import Names
    from orchestra.translation.quadlet.unit import Lines


def add_mounts(service: Given, names: Names, box: Lines, process: Lines) -> None:
    """box: the section of the container; process: that of its service."""
    for entry in service.each("volumes"):
        _add_volume(entry, names, box, process)
    for mount in read_tmpfs(service):
        options = [*(f"size={mount.size}" for _ in range(mount.size is not None)), *mount.others]
        if mount.mode is not None:
            options.append(f"mode={mount.mode:o}")
        box.add("Tmpfs", whole(":".join(part for part in (mount.target, ",".join(options)) if part)))
    for kind in ("configs", "secrets"):
        for entry in service.each(kind):
            _add_file(kind, entry, names, box)


def _add_volume(entry: Given, names: Names, box: Lines, process: Lines) -> None:
    kind, source, target = (entry.peek(name) or "" for name in ("type", "source", "target"))
    options = ["ro"] if entry.peek("read_only") else []
    below = entry.below(kind) if kind in ("bind", "volume", "tmpfs", "image") else None
    match kind:
        case "volume" if source and ("volumes", source) not in names.declared:
            entry.ledger.lose(entry.path, "the file does not declare the volume")
            return
        case "volume" if source:
            held = names.volume(source)
            subpath = below.take("subpath") if below else None
            if below and below.take("nocopy"):
                options.append("nocopy")
            if subpath:
                # The generator knows units in both; only this one takes a path in the volume.
                parts = [f"type=volume,source={held},destination={target},subpath={subpath}", *options]
                box.add("Mount", words(",".join(parts)))
            else:
                box.add("Volume", whole(":".join([held, target, *([",".join(options)] if options else [])])))
        case "volume":
            entry.ledger.approximate(entry.path, "a volume without a name ends with its container", "give it a name")
            box.add("Volume", whole(target))
        case "bind":
            if below:
                options += [text for text in (below.take("selinux"), below.take("propagation")) if text]
                if below.take("create_host_path"):
                    # With a minus: a file is there already and stays.
                    process.add("ExecStartPre", f"-mkdir -p {words(source)}")
            box.add("Volume", whole(":".join([source, target, *([",".join(options)] if options else [])])))
        case "tmpfs":
            if below:
                size, mode = below.take("size"), below.take("mode")
                options += [*(f"size={int(size)}" for _ in range(size is not None))]
                options += [*(f"mode={int(mode):o}" for _ in range(mode is not None))]
            box.add("Tmpfs", whole(":".join([target, *([",".join(options)] if options else [])])))
        case "image":
            subpath = below.take("subpath") if below else None
            parts = [f"type=image,source={source},destination={target}"]
            parts += [f"subpath={subpath}"] if subpath else []
            parts += [] if "ro" in options else ["rw=true"]
            box.add("Mount", words(",".join(parts)))
        case _:
            entry.ledger.lose(entry.path, f"Podman does not mount volumes of type {kind}")
            return
    for attribute in ("type", "source", "target", "read_only"):
        entry.take(attribute)


def _add_file(kind: str, entry: Given, names: Names, box: Lines) -> None:
    key = entry.take("source") or ""
    target = entry.take("target") or key
    if not target.startswith("/"):
        target = posixpath.join("/run/secrets" if kind == "secrets" else "/", target)
    name = names.secrets.get((kind, key))
    if name is None:
        entry.ledger.lose(entry.path, "there is nothing to mount")
        return
    parts = [name, "type=mount", f"target={target}"]
    for attribute in ("uid", "gid"):
        value = entry.take(attribute)
        parts += [f"{attribute}={value}"] if value else []
    mode = entry.take("mode")
    parts += [] if mode is None else [f"mode={int(mode):o}"]
    box.add("Secret", words(",".join(parts)))
