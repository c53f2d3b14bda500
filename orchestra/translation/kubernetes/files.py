"""Configs and secrets, and files of the project that are bound: ConfigMaps and Secrets, named by their content.

A new content is a new object, so that pods that use it are replaced, and those that go back find the old one.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from orchestra.regex import regex
from orchestra.translation.kubernetes.names import label, with_digest
from orchestra.translation.source import BINDS, LARGEST

if TYPE_CHECKING:
    from orchestra.translation.kubernetes.cluster import Cluster
    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object
    from orchestra.translation.source import Contents

KINDS = {"configs": "ConfigMap", BINDS: "ConfigMap", "secrets": "Secret"}
_OTHER = regex(r"[^-._A-Za-z0-9]")


def file_names(stack: Given, contents: Contents) -> dict[tuple[str, str], str]:
    """The objects' names, by kind and key, of all that have a content or exist already."""
    names = {}
    for (kind, key), content in contents.items():
        if content is not None and len(content) <= LARGEST:
            names[kind, key] = with_digest(label(key.rpartition("/")[2]), content)
    for kind in ("configs", "secrets"):
        for key, item in stack.entries(kind).items():
            if item is not None and item.peek("external"):
                names[kind, key] = label(item.peek("name") or key)
    return names


def data_key(key: str) -> str:
    """The key of the content in its object."""
    return _OTHER.sub("-", key.rpartition("/")[2])[:253]


def file_objects(stack: Given, cluster: Cluster, contents: Contents) -> list[Object]:
    found = []
    for kind in ("configs", "secrets"):
        for key, item in stack.entries(kind).items():
            if item is None:
                continue
            item.take("name")
            if item.take("external"):
                item.ledger.use(item.path)
                continue
            for attribute in ("file", "content", "environment"):
                item.take(attribute)
            content = contents.get((kind, key))
            if content is None:
                item.ledger.lose(item.path, "has no content here", "set its variable, or make its file")
            elif len(content) > LARGEST:
                item.ledger.lose(item.path, "is larger than 1 MiB, the most that Kubernetes takes", "use a volume")
            else:
                found.append(_object(kind, key, content, cluster))
    taken = [path for kind, path in cluster.files if kind == BINDS]
    found += [_object(BINDS, path, contents[BINDS, path] or b"", cluster) for path in taken]
    return found


def _object(kind: str, key: str, content: bytes, cluster: Cluster) -> Object:
    base: Object = {
        "apiVersion": "v1",
        "kind": KINDS[kind],
        "metadata": cluster.metadata(cluster.files[kind, key]),
        "immutable": True,
    }
    encoded = base64.b64encode(content).decode()
    if KINDS[kind] == "Secret":
        return {**base, "data": {data_key(key): encoded}}
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return {**base, "binaryData": {data_key(key): encoded}}
    return {**base, "data": {data_key(key): text}}
