"""One document over another, both canonical: the rules of several ``-f`` files and of ``extends``.

Mappings merge key by key, sequences are appended, scalars are replaced, and a null changes nothing. The tables name
the exceptions. ``!reset`` removes a key, ``!override`` replaces instead of merging.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import Enum
from typing import TYPE_CHECKING, Any

from orchestra.compose.nodes import OVERRIDE, RESET, WRONG, Map, Node, Path, Scalar, Seq, plain
from orchestra.compose.patterns import Branch, plant

if TYPE_CHECKING:
    from orchestra.compose.problems import Problems

Identity = Callable[[Node], Hashable]


class How(Enum):
    """What the merge does differently at some paths."""

    REPLACE = "as a whole; a null replaces too, and so gives back what the image says"
    NULLABLE = "null is itself a value: take it from the environment"
    BY_DRIVER = "merge if both say the same driver, else replace"
    BY_SUBNET = "merge entries with equal subnets, append the others"


RULES: Branch[How] = plant(
    {
        "services.*.command": How.REPLACE,
        "services.*.entrypoint": How.REPLACE,
        "services.*.healthcheck.test": How.REPLACE,
        "services.*.ulimits.*": How.REPLACE,
        "models.*.runtime_flags": How.REPLACE,
        "services.*.logging": How.BY_DRIVER,
        "networks.*.ipam.config": How.BY_SUBNET,
        "services.*.environment.*": How.NULLABLE,
        "services.*.build.args.*": How.NULLABLE,
        "services.*.labels.*": How.NULLABLE,
        "services.*.annotations.*": How.NULLABLE,
        "services.*.sysctls.*": How.NULLABLE,
        "services.*.build.labels.*": How.NULLABLE,
        "services.*.build.additional_contexts.*": How.NULLABLE,
        "services.*.deploy.labels.*": How.NULLABLE,
        "networks.*.labels.*": How.NULLABLE,
        "volumes.*.labels.*": How.NULLABLE,
    }
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


def _field(*names: str) -> Identity:
    def key(node: Node) -> Hashable:
        if not isinstance(node, Map):
            return _itself(node)
        return tuple(str(plain(node.items[name])) if name in node.items else "" for name in names)

    return key


def _target(prefix: str) -> Identity:
    """The place of a config or secret in the container: ``prefix`` and its name by default."""

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
UNIQUE: Branch[Identity] = plant(
    {
        "services.*.ports": _field("host_ip", "published", "target", "protocol"),
        "services.*.volumes": _field("target"),
        "services.*.devices": _field("target"),
        "services.*.configs": _target("/"),
        "services.*.secrets": _target("/run/secrets/"),
        "services.*.build.secrets": _target("/run/secrets/"),
        "services.*.env_file": _field("path"),
        "services.*.tmpfs": _up_to_equals,
        "services.*.expose": _itself,
        "services.*.extra_hosts": _itself,
        "services.*.build.extra_hosts": _itself,
        "services.*.label_file": _itself,
        "services.*.links": _up_to_equals,
        "services.*.external_links": _itself,
        "services.*.profiles": _itself,
        "services.*.cap_add": _itself,
        "services.*.cap_drop": _itself,
        "services.*.security_opt": _itself,
        "services.*.group_add": _itself,
        "services.*.dns": _itself,
        "services.*.dns_opt": _itself,
        "services.*.dns_search": _itself,
        "services.*.volumes_from": _itself,
        "services.*.device_cgroup_rules": _itself,
        "services.*.networks.*.aliases": _itself,
        "services.*.networks.*.link_local_ips": _itself,
        "services.*.build.tags": _itself,
        "services.*.build.platforms": _itself,
    }
)


def merge(base: Map, override: Map, problems: Problems) -> Map:
    """``override`` over ``base``. A mapping over a sequence, or the reverse, goes to ``problems``."""
    return merge_at(base, override, (), problems)


def merge_at(base: Map, override: Map, path: Path, problems: Problems) -> Map:
    """Like ``merge``, for two mappings at ``path`` of a document, as for services with ``extends``."""
    merged = _merge(base, override, path, RULES.find(path), problems)
    assert isinstance(merged, Map)
    return merged


def _merge(base: Node, override: Node, path: Path, rules: Branch[How] | None, problems: Problems) -> Node:
    if override.tag == OVERRIDE:
        return override._replace(tag="")
    how = rules.value if rules else None
    if how is How.REPLACE:
        return override
    if isinstance(override, Scalar) and override.value is None:
        return override if how is How.NULLABLE else base
    if isinstance(base, Scalar):
        if isinstance(override, Scalar) or base.value is None:
            return override
    elif isinstance(base, Map) and isinstance(override, Map):
        if how is How.BY_DRIVER and _differs(base, override, "driver"):
            return override
        return _merge_maps(base, override, path, rules, problems)
    elif isinstance(base, Seq) and isinstance(override, Seq):
        if how is How.BY_SUBNET:
            return _merge_by(base, override, "subnet", path, problems)
        return Seq(base.items + override.items, override.span)
    problems.error(
        "cannot-merge",
        f"{_kind(override)} cannot be merged with {_kind(base)} from {base.span.path}:{base.span.line}",
        override.span,
        path,
        "use the same type in both places, or write !override before the value to replace it",
    )
    return base


def _kind(node: Node) -> str:
    return {Map: "a mapping", Seq: "a list", Scalar: "a single value"}[type(node)]


def _differs(base: Map, override: Map, key: str) -> bool:
    """Whether both have a value for ``key``, and not the same one."""
    old, new = base.get(key), override.get(key)
    return old is not None and new is not None and plain(old) != plain(new)


def _merge_maps(base: Map, override: Map, path: Path, rules: Branch[How] | None, problems: Problems) -> Map:
    items = dict(base.items)
    keys = dict(base.keys)
    for key, node in override.items.items():
        if node.tag == RESET:
            items.pop(key, None)
            keys.pop(key, None)
            continue
        old = items.get(key)
        if old is None:
            items[key] = node
        else:
            items[key] = _merge(old, node, (*path, key), rules.at(key) if rules else None, problems)
        if old is None or items[key] is not old:
            keys[key] = override.keys[key]
    return Map(items, keys, base.span, base.tag)


def _merge_by(base: Seq, override: Seq, key: str, path: Path, problems: Problems) -> Seq:
    """Mappings of two sequences that agree in ``key`` are merged, the others appended."""
    items = list(base.items)
    known = {
        _itself(node.items[key]): index
        for index, node in enumerate(items)
        if isinstance(node, Map) and key in node.items
    }
    for node in override.items:
        index = known.get(_itself(node.items[key])) if isinstance(node, Map) and key in node.items else None
        if index is None:
            items.append(node)
        else:
            items[index] = _merge(items[index], node, (*path, index), None, problems)
    return Seq(tuple(items), override.span)


def settle(document: Map) -> Map:
    """The merged document with equal items of sequences combined, and without ``!reset`` and ``!override``."""
    result = _settle(document, UNIQUE)
    assert isinstance(result, Map)
    return result


def _settle(node: Node, identities: Branch[Identity] | None) -> Node:
    if isinstance(node, Map):
        items = {
            key: _settle(item, identities.at(key) if identities else None)
            for key, item in node.items.items()
            if item.tag != RESET
        }
        return Map(items, {key: node.keys[key] for key in items}, node.span)
    if isinstance(node, Seq):
        below = identities.at(0) if identities else None
        parts = [_settle(item, below) for item in node.items if item.tag != RESET]
        if identities is not None and identities.value is not None:
            parts = list({identities.value(item): item for item in parts}.values())
        return Seq(tuple(parts), node.span)
    return node._replace(tag="") if node.tag not in ("", WRONG) else node
