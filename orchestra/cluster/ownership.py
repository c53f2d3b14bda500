"""What of an object is ours: the configuration that we applied, read back from its ``managedFields``.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestra.cluster.kinds import Object

_NOISE = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
_REVISION = "deployment.kubernetes.io/revision"


def applied(item: Object, manager: str) -> Object | None:
    """None if the manager never applied it."""
    for entry in item["metadata"].get("managedFields") or ():
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            ours = _owned(item, entry.get("fieldsV1") or {})
            identity = {"apiVersion": item.get("apiVersion") or entry["apiVersion"], "kind": item["kind"]}
            return {**ours, **identity, "metadata": {**ours.get("metadata", {}), "name": item["metadata"]["name"]}}
    return None


def _owned(value: Any, fields: dict[str, Any]) -> Any:
    """The parts of a value that a set of fields names; all of it where the set ends."""
    inner = {name: below for name, below in fields.items() if name != "."}
    if not inner:
        return value
    if isinstance(value, dict):
        return {
            key: _owned(value[key], below)
            for name, below in inner.items()
            if name.startswith("f:") and (key := name[2:]) in value
        }
    if isinstance(value, (list, tuple)):
        return [_owned(item, below) | keys for name, below in inner.items() for item, keys in _matching(value, name)]
    return value


def _matching(items: Any, name: str) -> list[tuple[Any, Any]]:
    """The entries of a list that a name means, with the keys that tell them from others."""
    kind, _, text = name.partition(":")
    if kind == "k":
        keys = json.loads(text)
        return [(item, keys) for item in items if all(item.get(key) == wanted for key, wanted in keys.items())]
    return []


def comparable(item: Object) -> Object:
    """Without what changes by itself."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in _NOISE}
    annotations = {key: value for key, value in (metadata.pop("annotations", None) or {}).items() if key != _REVISION}
    rest = {key: value for key, value in item.items() if key not in ("status", "apiVersion", "kind", "metadata")}
    return {**rest, "metadata": {**metadata, **({"annotations": annotations} if annotations else {})}}
