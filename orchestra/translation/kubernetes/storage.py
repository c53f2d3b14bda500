"""What is mounted: claims for named volumes, and the volumes of a pod."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from orchestra.named_tuple import NamedTuple
from orchestra.translation.kubernetes.cluster import patched
from orchestra.translation.kubernetes.files import KINDS, data_key
from orchestra.translation.kubernetes.names import label
from orchestra.translation.plain import full
from orchestra.translation.reading import read_tmpfs
from orchestra.translation.source import BINDS
from orchestra.units import parse_bytes

if TYPE_CHECKING:
    from orchestra.translation.kubernetes.cluster import Cluster
    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

_NODES = "the path must exist on every node that may run the pod"
_INSTEAD = "use a named volume for data, and a config for a file"
_SIZE = "1Gi"
_SIZE_OF = "x-kubernetes: {claim: {spec: {resources: {requests: {storage: 20Gi}}}}}"


class Mounts(NamedTuple):
    """volumes: of the pod; mounts: of its container."""

    volumes: list[Object]
    mounts: list[Object]

    def add(self, volume: Object, mount: Object) -> None:
        """A volume that is there already is used again."""
        if volume not in self.volumes:
            self.volumes.append(volume)
        self.mounts.append(mount)


def claim_objects(stack: Given, cluster: Cluster, writers: dict[str, int]) -> list[Object]:
    """A claim for each volume that is not external. writers: by volume, how many pods may have it at the same time."""
    found = []
    for key, volume in stack.entries("volumes").items():
        if volume is None:
            continue
        volume.take("name")
        if volume.take("external") or key not in cluster.claims:
            volume.ledger.use(volume.path)
            continue
        mode = "ReadWriteMany" if writers.get(key, 0) > 1 else "ReadWriteOnce"
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": cluster.metadata(cluster.claims[key]),
            "spec": {"accessModes": [mode], "resources": {"requests": {"storage": _SIZE}}},
        }
        patch = (volume.extension("x-kubernetes") or {}).get("claim", {})
        if not patch.get("spec", {}).get("resources"):
            volume.ledger.approximate(volume.path, f"a claim needs a size: {_SIZE} is asked for", _SIZE_OF)
        found.append(patched(claim, patch))
    return found


def mounts(service: Given, cluster: Cluster) -> Mounts:
    found = Mounts([], [])
    for entry in service.each("volumes"):
        _volume(entry, cluster, found)
    for kind in ("configs", "secrets"):
        for entry in service.each(kind):
            _file(kind, entry, cluster, found)
    for index, mount in enumerate(read_tmpfs(service)):
        if mount.mode is not None:
            service.ledger.approximate(mount.path, f"mode={mount.mode:o} cannot be said of a volume in memory")
        for option in mount.others:
            service.ledger.approximate(mount.path, f"{option} cannot be said of a volume in memory")
        name = f"tmpfs-{index}"
        found.add({"name": name, **_memory(mount.size)}, {"name": name, "mountPath": mount.target})
    size = service.take("shm_size")
    if size:
        found.add({"name": "shm", **_memory(int(size))}, {"name": "shm", "mountPath": "/dev/shm"})
    return found


def _volume(entry: Given, cluster: Cluster, found: Mounts) -> None:
    kind, source, target = (entry.peek(name) for name in ("type", "source", "target"))
    mount = full(mountPath=target, readOnly=entry.peek("read_only") or None)
    name = f"{kind}-{len(found.volumes)}"
    volume: Object
    match kind:
        case "volume" if source:
            name = f"volume-{label(source)}"[:63].rstrip("-")
            claim = cluster.claims.get(source, label(source))
            volume = {"persistentVolumeClaim": {"claimName": claim}}
            options = entry.below("volume")
            if options:
                mount |= full(subPath=options.take("subpath"))
                options.take("nocopy")  # nothing is ever copied
        case "volume":
            entry.ledger.approximate(entry.path, "a volume without a name ends with its pod", "give it a name")
            volume = {"emptyDir": {}}
        case "tmpfs":
            options = entry.below("tmpfs")
            size = options.take("size") if options else None
            volume = _memory(None if size is None else int(parse_bytes(str(size))))
        case "bind" if (BINDS, source) in cluster.files:
            entry.ledger.approximate(entry.path, "is a copy of the file as it is now, which cannot be written to")
            name = cluster.files[BINDS, source]
            volume = {"configMap": {"name": name}}
            mount["subPath"] = data_key(source)
        case "bind":
            entry.ledger.approximate(entry.path, _NODES, _INSTEAD)
            volume = {"hostPath": {"path": source}}
            options = entry.below("bind")
            if options:
                options.take("create_host_path")
                mount |= full(mountPropagation=_propagation(options))
        case _:
            entry.ledger.lose(entry.path, f"volumes of type {kind} are not known in all versions of Kubernetes")
            return
    for attribute in ("type", "source", "target", "read_only"):
        entry.take(attribute)
    found.add({"name": name, **volume}, {"name": name, **mount})


def _propagation(options: Given) -> str | None:
    known = {"rshared": "Bidirectional", "rslave": "HostToContainer", "rprivate": None}
    text = options.peek("propagation")
    if text in known:
        options.take("propagation")
    return known.get(text)


def _file(kind: str, entry: Given, cluster: Cluster, found: Mounts) -> None:
    key = entry.take("source") or ""
    target = entry.take("target") or key
    if not target.startswith("/"):
        target = posixpath.join("/run/secrets" if kind == "secrets" else "/", target)
    name = cluster.files.get((kind, key))
    if name is None:
        entry.ledger.lose(entry.path, "there is nothing to mount")
        return
    mode = entry.take("mode")
    source = "secretName" if KINDS[kind] == "Secret" else "name"
    shown = {source: name, **full(defaultMode=None if mode is None else int(mode))}
    for attribute in ("uid", "gid"):
        if entry.peek(attribute):
            entry.lose(attribute, "files of configs and secrets belong to root", "make it readable by mode")
    volume = {"name": label(f"{kind[:-1]}-{key}"), ("secret" if kind == "secrets" else "configMap"): shown}
    mount = {"name": volume["name"], "mountPath": target, "subPath": data_key(key), "readOnly": True}
    found.add(volume, mount)


def _memory(size: int | None) -> Object:
    return {"emptyDir": full(medium="Memory", sizeLimit=str(size) if size else None)}
