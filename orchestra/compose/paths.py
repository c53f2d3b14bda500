"""Relative host paths to absolute ones, by a table of the attributes that hold paths.

Each file is treated by itself, because ``extends`` and ``include`` bring files whose paths are relative to another
directory.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestra.compose.nodes import Map, Node, Scalar, Seq, find
from orchestra.compose.patterns import Branch, plant
from orchestra.regex import regex

if TYPE_CHECKING:
    from orchestra.compose.interpolate import Lookup

_REMOTE = regex(r"[a-zA-Z][a-zA-Z0-9+.-]*://|git@|github\.com/")

Resolve = Callable[[str], str]
Rule = Callable[[Node, Resolve], Node]
_OTHER_CONTEXTS = ("service:", "docker-image://", "oci-layout://")


def resolve_path(text: str, directory: str, lookup: Lookup) -> str:
    """``~`` and relative paths made absolute; absolute ones stay as they are written."""
    if text.startswith("${"):
        return text  # only if variables are not replaced: its beginning is unknown
    if text == "~" or text.startswith("~/"):
        text = (lookup("HOME") or "/root") + text[1:]
    return text if os.path.isabs(text) else os.path.normpath(os.path.join(directory, text))


def is_remote(text: str) -> bool:
    """Whether a build context or a file is fetched from elsewhere."""
    return bool(_REMOTE.match(text))


def _with_text(node: Scalar, text: str) -> Scalar:
    return Scalar(text, node.span, node.tag, node.plain)


def _plain(node: Node, resolve: Resolve) -> Node:
    if isinstance(node, Scalar) and isinstance(node.value, str) and not node.tag:
        return _with_text(node, resolve(node.value))
    return node


def _file(node: Node, resolve: Resolve) -> Node:
    """Another file of the stack."""
    text = node.value if isinstance(node, Scalar) else None
    return node if isinstance(text, str) and is_remote(text) else _plain(node, resolve)


def _context(node: Node, resolve: Resolve) -> Node:
    """A build context, which need not be a directory."""
    text = node.value if isinstance(node, Scalar) else None
    if isinstance(text, str) and (is_remote(text) or text.startswith(_OTHER_CONTEXTS)):
        return node
    return _plain(node, resolve)


def _bind(volume: Node, resolve: Resolve) -> Node:
    """A bind mount's source; Windows paths are left as they are."""
    if not isinstance(volume, Map):
        return volume
    kind, source = volume.get("type"), volume.get("source")
    if not (isinstance(kind, Scalar) and kind.value == "bind"):
        return volume
    if not (isinstance(source, Scalar) and isinstance(source.value, str)) or "\\" in source.value:
        return volume
    if re.match(r"[a-zA-Z]:", source.value):
        return volume
    return volume.with_item("source", _with_text(source, resolve(source.value)))


def _profile(option: Node, resolve: Resolve) -> Node:
    """``seccomp=FILE``, except for the two words that are not files."""
    text = option.value if isinstance(option, Scalar) else None
    if not isinstance(option, Scalar) or not isinstance(text, str):
        return option
    found = re.fullmatch(r"(seccomp[=:])(.+)", text)
    if found is None or found[2] in ("unconfined", "builtin"):
        return option
    return _with_text(option, found[1] + resolve(found[2]))


def _local_bind(volume: Node, resolve: Resolve) -> Node:
    """``driver: local`` with ``o: bind``: the device is a host path."""
    if not isinstance(volume, Map):
        return volume
    options, device = find(volume, ("driver_opts", "o")), find(volume, ("driver_opts", "device"))
    holder = volume.get("driver_opts")
    if not (isinstance(holder, Map) and isinstance(options, Scalar) and isinstance(device, Scalar)):
        return volume
    if not isinstance(device.value, str) or "bind" not in str(options.value).split(","):
        return volume
    changed = holder.with_item("device", _with_text(device, resolve(device.value)))
    return volume.with_item("driver_opts", changed)


# Attributes that name other files of the stack.
FILES: dict[str, Rule] = {
    "services.*.extends.file": _file,
    "include.[].path.[]": _file,
    "include.[].env_file.[]": _file,
    "include.[].project_directory": _file,
}
TABLE: dict[str, Rule] = {
    **FILES,
    "services.*.build.context": _context,
    "services.*.build.additional_contexts.*": _context,
    "services.*.credential_spec.file": _plain,
    "services.*.develop.watch.[].path": _plain,
    "services.*.env_file.[].path": _plain,
    "services.*.label_file.[]": _plain,
    "services.*.security_opt.[]": _profile,
    "services.*.volumes.[]": _bind,
    "volumes.*": _local_bind,
    "configs.*.file": _plain,
    "secrets.*.file": _plain,
}
_ALL, _FILES_ONLY = plant(TABLE), plant(FILES)


def resolve_paths(
    document: Map,
    directory: str,
    lookup: Lookup,
    *,
    only_files: bool = False,
    note: Callable[[str], object] = lambda _path: None,
) -> Map:
    """The document with every host path absolute; relative ones start at ``directory``.

    only_files: only paths of other files of the stack, which must always be found. note: is told each path that was
    not written as an absolute one.
    """

    def resolve(text: str) -> str:
        path = resolve_path(text, directory, lookup)
        if not os.path.isabs(text):
            note(path)
        return path

    result = _resolve(document, _FILES_ONLY if only_files else _ALL, resolve)
    assert isinstance(result, Map)
    return result


def _resolve(node: Node, branch: Branch[Rule], resolve: Resolve) -> Node:
    if branch.value is not None:
        return branch.value(node, resolve)
    if isinstance(node, Map):
        items = {}
        for key, item in node.items.items():
            below = branch.at(key)
            items[key] = _resolve(item, below, resolve) if below else item
        return Map(items, node.keys, node.span, node.tag)
    if isinstance(node, Seq) and "[]" in branch.below:
        below = branch.below["[]"]
        return Seq(tuple(_resolve(item, below, resolve) for item in node.items), node.span, node.tag)
    return node
