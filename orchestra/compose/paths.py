"""Relative host paths to absolute ones, by a table of the attributes that hold paths.

Done for each file by itself, because ``extends`` and ``include`` bring files whose paths are relative to another
directory.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestra.compose.nodes import Map, Node, Path, Scalar, Seq, find, matches

if TYPE_CHECKING:
    from orchestra.compose.interpolate import Lookup

_REMOTE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://|git@|github\.com/")

Resolve = Callable[[str], str]


def resolve_path(text: str, directory: str, lookup: Lookup) -> str:
    """``~`` and relative paths made absolute; absolute ones stay as they are written."""
    if text == "~" or text.startswith("~/"):
        text = (lookup("HOME") or "/root") + text[1:]
    return text if os.path.isabs(text) else os.path.normpath(os.path.join(directory, text))


def is_remote(text: str) -> bool:
    """Whether a build context is fetched rather than read from a directory."""
    return bool(_REMOTE.match(text))


_PLAIN = tuple(
    tuple(pattern.split("."))
    for pattern in (
        "services.*.env_file.[].path",
        "services.*.label_file.[]",
        "services.*.extends.file",
        "services.*.develop.watch.[].path",
        "services.*.credential_spec.file",
        "configs.*.file",
        "secrets.*.file",
        "include.[].path.[]",
        "include.[].env_file.[]",
        "include.[].project_directory",
    )
)
_CONTEXTS = (("services", "*", "build", "context"), ("services", "*", "build", "additional_contexts", "*"))
_PARENTS = frozenset(pattern[:length] for pattern in (*_PLAIN, *_CONTEXTS) for length in range(len(pattern)))


def resolve_paths(document: Map, directory: str, lookup: Lookup) -> Map:
    """The document with every host path absolute, relative ones taken from ``directory``."""

    def resolve(text: str) -> str:
        return resolve_path(text, directory, lookup)

    result = _resolve(document, (), resolve)
    assert isinstance(result, Map)
    return result


def _resolve(node: Node, path: Path, resolve: Resolve) -> Node:
    if isinstance(node, Scalar):
        if not isinstance(node.value, str) or node.tag:
            return node
        if any(matches(pattern, path) for pattern in _PLAIN):
            return _with_text(node, resolve(node.value))
        if any(matches(pattern, path) for pattern in _CONTEXTS) and not _is_other_context(node.value):
            return _with_text(node, resolve(node.value))
        return node
    if matches(("services", "*", "volumes", "[]"), path) and isinstance(node, Map):
        return _bind(node, resolve)
    if matches(("volumes", "*"), path) and isinstance(node, Map):
        return _local_bind(node, resolve)
    if not any(matches(parent, path) for parent in _PARENTS) and path[:1] not in (("services",), ("volumes",)):
        return node
    if isinstance(node, Map):
        if len(path) > 6:
            return node
        items = {key: _resolve(item, (*path, key), resolve) for key, item in node.items.items()}
        return Map(items, node.keys, node.span, node.tag)
    parts = tuple(_resolve(item, (*path, index), resolve) for index, item in enumerate(node.items))
    return Seq(parts, node.span, node.tag)


def _with_text(node: Scalar, text: str) -> Scalar:
    return Scalar(text, node.span, node.tag, node.plain)


def _is_other_context(text: str) -> bool:
    return is_remote(text) or text.startswith(("service:", "docker-image://", "oci-layout://"))


def _bind(volume: Map, resolve: Resolve) -> Map:
    """A bind mount's source; Windows paths are left as they are."""
    kind, source = volume.get("type"), volume.get("source")
    if not (isinstance(kind, Scalar) and kind.value == "bind"):
        return volume
    if not (isinstance(source, Scalar) and isinstance(source.value, str)) or "\\" in source.value:
        return volume
    if re.match(r"[a-zA-Z]:", source.value):
        return volume
    return volume.with_item("source", _with_text(source, resolve(source.value)))


def _local_bind(volume: Map, resolve: Resolve) -> Map:
    """``driver: local`` with ``o: bind``: the device is a host path."""
    options, device = find(volume, ("driver_opts", "o")), find(volume, ("driver_opts", "device"))
    holder = volume.get("driver_opts")
    if not (isinstance(holder, Map) and isinstance(options, Scalar) and isinstance(device, Scalar)):
        return volume
    if not isinstance(device.value, str) or "bind" not in str(options.value).split(","):
        return volume
    changed = holder.with_item("device", _with_text(device, resolve(device.value)))
    return volume.with_item("driver_opts", changed)
