"""What is mounted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.translation.plain import full, plain
from orchestra.translation.reading import read_tmpfs
from orchestra.units import parse_bytes

if TYPE_CHECKING:
    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

_NODES = "the path must exist on every node that may run the container"
_INSTEAD = "use a named volume for data, and a config for a file"


def volumes(service: Given) -> list[Object]:
    found = [made for made in map(_volume, service.each("volumes")) if made]
    for mount in read_tmpfs(service):
        for option in mount.others:
            if option != "noexec":  # as Swarm mounts them
                service.ledger.approximate(mount.path, f"{option} cannot be said in Swarm")
        found.append({"type": "tmpfs", "target": mount.target, **full(tmpfs=full(size=mount.size, mode=mount.mode))})
    return found


def _volume(entry: Given) -> Object | None:
    kind = entry.peek("type")
    if kind not in ("bind", "volume", "tmpfs"):
        entry.ledger.lose(entry.path, f"Swarm does not mount volumes of type {kind}")
        return None
    made: dict[str, Any] = plain({name: entry.take(name) for name in ("type", "source", "target", "read_only")})
    if kind == "bind":
        entry.ledger.approximate(entry.path, _NODES, _INSTEAD)
        options = entry.below("bind")
        made |= full(bind=plain({"propagation": options.take("propagation")}) if options else {})
    elif kind == "tmpfs":
        options = entry.below("tmpfs")
        size, mode = (options.take("size"), options.take("mode")) if options else (None, None)
        tmpfs = full(
            size=None if size is None else int(parse_bytes(str(size))), mode=None if mode is None else int(mode)
        )
        made |= full(tmpfs=tmpfs)
    else:
        options = entry.below("volume")
        names = ("nocopy", "subpath", "labels")
        made |= full(volume=plain({name: options.take(name) for name in names}) if options else {})
    return made


def file_references(kind: str, service: Given) -> list[Object]:
    found = []
    for entry in service.each(kind):
        made: Object = plain({name: entry.take(name) for name in ("source", "target", "uid", "gid")})
        mode = entry.take("mode")
        target = made.get("target") or made["source"]
        if kind == "secrets":
            made["target"] = target.removeprefix("/run/secrets/")
        elif not target.startswith("/"):
            made["target"] = f"/{target}"
        found.append(made | full(mode=None if mode is None else int(mode)))
    return found
