"""Short to long syntax: after this pass every attribute has one shape, whichever way it was written.

``TABLE`` maps the shape of a path to the rule (``compose.longhand``) that makes its node canonical.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose import longhand, longhand_lists
from orchestra.compose.nodes import RESET, WRONG, Map, Node, Path, Seq
from orchestra.compose.patterns import Branch, plant
from orchestra.compose.problems import Problems

if TYPE_CHECKING:
    from orchestra.compose.longhand import Rule

SERVICE: dict[str, Rule] = {
    "annotations": longhand.pairs,
    "build": longhand.keyed("context"),
    "build.additional_contexts": longhand.pairs,
    "build.args": longhand.pairs,
    "build.extra_hosts": longhand_lists.hosts,
    "build.labels": longhand.pairs,
    "build.no_cache_filter": longhand.one_or_many,
    "build.secrets": longhand.sources,
    "build.ssh": longhand.ssh,
    "command": longhand.command,
    "configs": longhand.sources,
    "depends_on": longhand.depends_on,
    "deploy.labels": longhand.pairs,
    "deploy.resources.reservations.devices.[].options": longhand.pairs,
    "develop.watch.[].exec.command": longhand.command,
    "develop.watch.[].exec.environment": longhand.pairs,
    "develop.watch.[].ignore": longhand.one_or_many,
    "develop.watch.[].include": longhand.one_or_many,
    "devices": longhand_lists.devices,
    "dns": longhand.one_or_many,
    "dns_opt": longhand.one_or_many,
    "dns_search": longhand.one_or_more,
    "entrypoint": longhand.command,
    "env_file": longhand.env_files,
    "environment": longhand.pairs,
    "expose": longhand.texts,
    "extends": longhand.keyed("service"),
    "extra_hosts": longhand_lists.hosts,
    "gpus": longhand.gpus,
    "gpus.[].options": longhand.pairs,
    "group_add": longhand.texts,
    "healthcheck.test": longhand.probe,
    "label_file": longhand.one_or_many,
    "labels": longhand.pairs,
    "models": longhand.names,
    "networks": longhand.names,
    "ports": longhand_lists.ports,
    "post_start.[].command": longhand.command,
    "post_start.[].environment": longhand.pairs,
    "pre_start.[].command": longhand.command,
    "pre_start.[].environment": longhand.pairs,
    "pre_stop.[].command": longhand.command,
    "pre_stop.[].environment": longhand.pairs,
    "provider.options": longhand.options,
    "secrets": longhand.sources,
    "sysctls": longhand.pairs,
    "tmpfs": longhand.one_or_many,
    "volumes": longhand_lists.volumes,
    "volumes.[].volume.labels": longhand.pairs,
}

TABLE: dict[str, Rule] = {
    **{f"services.*.{key}": rule for key, rule in SERVICE.items()},
    "include": longhand.includes,
    "networks.*": longhand.external,
    "networks.*.labels": longhand.pairs,
    "volumes.*": longhand.external,
    "volumes.*.labels": longhand.pairs,
    "configs.*": longhand.external,
    "configs.*.labels": longhand.pairs,
    "secrets.*": longhand.external,
    "secrets.*.labels": longhand.pairs,
}


_ROOT = plant(TABLE)


def canonicalise(document: Map, problems: Problems, *, may_hold_variables: bool = False) -> Map:
    """The document with every attribute in its long form. Malformed short syntax goes to ``problems``.

    may_hold_variables: variables are not replaced yet, so values that cannot be parsed are silently left as they are.
    """
    result = _canonicalise(document, (), _ROOT, Problems(lenient=True) if may_hold_variables else problems)
    assert isinstance(result, Map)
    return result


def _canonicalise(node: Node, path: Path, branch: Branch[Rule], problems: Problems) -> Node:
    if node.tag in (RESET, WRONG):
        return node
    if branch.value is not None:
        changed = branch.value(node, path, problems)
        if changed is not node and node.tag:
            changed = changed._replace(tag=node.tag)
        node = changed
    if not branch.below:
        return node
    if isinstance(node, Map):
        items = {}
        for key, item in node.items.items():
            below = branch.at(key)
            items[key] = _canonicalise(item, (*path, key), below, problems) if below else item
        return Map(items, node.keys, node.span, node.tag)
    if isinstance(node, Seq) and "[]" in branch.below:
        below = branch.below["[]"]
        parts = tuple(_canonicalise(item, (*path, i), below, problems) for i, item in enumerate(node.items))
        return Seq(parts, node.span, node.tag)
    return node
