"""One document over another, both canonical: the rules of several ``-f`` files and of ``extends``.

Mappings merge key by key, sequences are appended, scalars are replaced, and a null changes nothing. The tables name
the exceptions. ``!reset`` removes a key, ``!override`` replaces instead of merging.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from orchestra.compose.nodes import OVERRIDE, RESET, Map, Node, Path, Scalar, Seq, matches, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from orchestra.compose.problems import Problems

# Replaced as a whole; a null replaces too, and so gives back what the image says.
REPLACED = tuple(
    tuple(pattern.split("."))
    for pattern in (
        "services.*.command",
        "services.*.entrypoint",
        "services.*.healthcheck.test",
        "services.*.ulimits.*",
        "models.*.runtime_flags",
    )
)

# Values where null is itself a value: "take it from the environment".
NULLABLE = tuple(
    tuple(pattern.split("."))
    for pattern in (
        "services.*.environment.*",
        "services.*.build.args.*",
        "services.*.labels.*",
        "services.*.annotations.*",
        "services.*.sysctls.*",
        "services.*.build.labels.*",
        "services.*.build.additional_contexts.*",
        "services.*.deploy.labels.*",
        "networks.*.labels.*",
        "volumes.*.labels.*",
    )
)


def _itself(node: Node) -> Hashable:
    value: Hashable = _hashable(plain(node))
    return value


def _hashable(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(sorted((key, _hashable(item)) for key, item in value.items()))
    if isinstance(value, tuple):
        return tuple(_hashable(item) for item in value)
    return value


def _field(*names: str) -> Callable[[Node], Hashable]:
    def key(node: Node) -> Hashable:
        if not isinstance(node, Map):
            return _itself(node)
        return tuple(str(plain(node.items[name])) if name in node.items else "" for name in names)

    return key


def _target(prefix: str) -> Callable[[Node], Hashable]:
    """Where a config or secret is seen in the container; ``prefix`` and its name unless it says so."""

    def key(node: Node) -> Hashable:
        if not isinstance(node, Map):
            return _itself(node)
        target, source = node.get("target"), node.get("source")
        text = str(plain(target)) if target else str(plain(source)) if source else ""
        return text if text.startswith("/") else prefix + text

    return key


def _up_to_equals(node: Node) -> Hashable:
    value = plain(node)
    return value.partition("=")[0] if isinstance(value, str) else _itself(node)


# Sequences whose items have an identity: of two equal ones the later wins, at the place of the earlier.
UNIQUE: tuple[tuple[tuple[str, ...], Callable[[Node], Hashable]], ...] = tuple(
    (tuple(pattern.split(".")), key)
    for pattern, key in (
        ("services.*.ports", _field("host_ip", "published", "target", "protocol")),
        ("services.*.volumes", _field("target")),
        ("services.*.devices", _field("target")),
        ("services.*.configs", _target("/")),
        ("services.*.secrets", _target("/run/secrets/")),
        ("services.*.build.secrets", _target("/run/secrets/")),
        ("services.*.env_file", _field("path")),
        ("services.*.tmpfs", _up_to_equals),
        ("services.*.expose", _itself),
        ("services.*.extra_hosts", _itself),
        ("services.*.build.extra_hosts", _itself),
        ("services.*.label_file", _itself),
        ("services.*.links", _up_to_equals),
        ("services.*.external_links", _itself),
        ("services.*.profiles", _itself),
        ("services.*.cap_add", _itself),
        ("services.*.cap_drop", _itself),
        ("services.*.security_opt", _itself),
        ("services.*.group_add", _itself),
        ("services.*.dns", _itself),
        ("services.*.dns_opt", _itself),
        ("services.*.dns_search", _itself),
        ("services.*.volumes_from", _itself),
        ("services.*.device_cgroup_rules", _itself),
        ("services.*.networks.*.aliases", _itself),
        ("services.*.networks.*.link_local_ips", _itself),
        ("services.*.build.tags", _itself),
        ("services.*.build.platforms", _itself),
    )
)


def merge(base: Map, override: Map, problems: Problems) -> Map:
    """``override`` over ``base``. A mapping over a sequence, or the other way, goes to ``problems``."""
    merged = _merge(base, override, (), problems)
    assert isinstance(merged, Map)
    return merged


def merge_at(base: Map, override: Map, path: Path, problems: Problems) -> Map:
    """As ``merge``, for two mappings that stand at ``path`` of a document, as services do with ``extends``."""
    merged = _merge(base, override, path, problems)
    assert isinstance(merged, Map)
    return merged


def _is_any(patterns: tuple[tuple[str, ...], ...], path: Path) -> bool:
    return any(matches(pattern, path) for pattern in patterns)


def _merge(base: Node, override: Node, path: Path, problems: Problems) -> Node:
    if override.tag == OVERRIDE:
        return dataclasses.replace(override, tag="")
    if _is_any(REPLACED, path):
        return override
    if isinstance(override, Scalar) and override.value is None:
        return override if _is_any(NULLABLE, path) else base
    if isinstance(base, Scalar):
        if isinstance(override, Scalar) or base.value is None:
            return override
    elif isinstance(base, Map) and isinstance(override, Map):
        if matches(("services", "*", "logging"), path) and _differs(base, override, "driver"):
            return override
        return _merge_maps(base, override, path, problems)
    elif isinstance(base, Seq) and isinstance(override, Seq):
        if matches(("networks", "*", "ipam", "config"), path):
            return _merge_by(base, override, "subnet", path, problems)
        return Seq(base.items + override.items, override.span)
    problems.error(
        "cannot-merge",
        f"{_kind(override)} cannot be merged with {_kind(base)} from {base.span.path}:{base.span.line}",
        override.span,
        path,
        "use the same form in both places, or write !override before the value to replace it",
    )
    return base


def _kind(node: Node) -> str:
    return {Map: "a mapping", Seq: "a list", Scalar: "a single value"}[type(node)]


def _differs(base: Map, override: Map, key: str) -> bool:
    """Whether both say something about ``key``, and not the same."""
    old, new = base.get(key), override.get(key)
    return old is not None and new is not None and plain(old) != plain(new)


def _merge_maps(base: Map, override: Map, path: Path, problems: Problems) -> Map:
    items = dict(base.items)
    keys = dict(base.keys)
    for key, node in override.items.items():
        if node.tag == RESET:
            items.pop(key, None)
            keys.pop(key, None)
            continue
        old = items.get(key)
        items[key] = node if old is None else _merge(old, node, (*path, key), problems)
        if old is None or items[key] is not old:
            keys[key] = override.keys[key]
    return Map(items, keys, base.span, base.tag)


def _merge_by(base: Seq, override: Seq, key: str, path: Path, problems: Problems) -> Seq:
    """Mappings of two sequences that agree in ``key`` are merged, the others appended."""
    items = list(base.items)
    for node in override.items:
        value = plain(node.items[key]) if isinstance(node, Map) and key in node.items else None
        for index, old in enumerate(items):
            if value is not None and isinstance(old, Map) and key in old.items and plain(old.items[key]) == value:
                items[index] = _merge(old, node, (*path, index), problems)
                break
        else:
            items.append(node)
    return Seq(tuple(items), override.span)


def settle(document: Map) -> Map:
    """The merged document with equal items of sequences made one, and without ``!reset`` and ``!override``."""
    result = _settle(document, ())
    assert isinstance(result, Map)
    return result


def _settle(node: Node, path: Path) -> Node:
    if isinstance(node, Map):
        items = {key: _settle(item, (*path, key)) for key, item in node.items.items() if item.tag != RESET}
        return Map(items, {key: node.keys[key] for key in items}, node.span)
    if isinstance(node, Seq):
        parts = [_settle(item, (*path, index)) for index, item in enumerate(node.items) if item.tag != RESET]
        for pattern, key in UNIQUE:
            if matches(pattern, path):
                parts = list({key(item): item for item in parts}.values())
                break
        return Seq(tuple(parts), node.span)
    return dataclasses.replace(node, tag="") if node.tag else node
