"""What a stack was deployed as in a Swarm, kept in its configs. Pure."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from orchestra.cluster.revisions import REVISION, unpack
from orchestra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.cluster.kinds import Object

Needs = dict[str, dict[str, str]]
"""Conditions by service and by the service that it waits for."""
Content = dict[str, Any]


def content_of(kinds: Mapping[str, Mapping[str, Object]], needs: Needs) -> Content:
    """What a revision keeps. Of secrets and configs only names, since a swarm does not give secrets back."""
    names = {kind: sorted(kinds[kind]) for kind in ("secrets", "configs")}
    return {"networks": dict(kinds["networks"]), "services": dict(kinds["services"]), **names, "needs": needs}


def kinds_of(content: Content, found: Mapping[str, Mapping[str, Object]]) -> dict[str, Mapping[str, Object]]:
    """For ``run``. found: objects of the stack. Raises UserError for secrets and configs that are gone."""
    kinds: dict[str, Mapping[str, Object]] = {kind: content[kind] for kind in ("networks", "services")}
    for kind in ("secrets", "configs"):
        if gone := [name for name in content[kind] if name not in found[kind]]:
            raise UserError(f"{kind} of that deployment are gone: {', '.join(gone)}", hint="run orchestra deploy")
        kinds[kind] = {name: found[kind][name]["Spec"] for name in content[kind]}
    return kinds


def number_of(item: Object) -> int:
    """Of the revision that a config keeps, 0 for other objects."""
    return int(((item.get("Spec") or item).get("Labels") or {}).get(REVISION) or 0)


def kept_of(configs: Mapping[str, Object]) -> dict[int, str]:
    """The revisions among the configs of a stack."""
    return {
        number_of(item): base64.b64decode(item["Spec"]["Data"]).decode() for item in configs.values() if number_of(item)
    }


def still_used(kept: Mapping[int, str], configs: Mapping[str, Object]) -> set[tuple[str, str]]:
    """Secrets and configs of a deployment to which one can go back, and those that keep it, as kinds and names."""
    contents = [unpack(text) for text in kept.values()]
    used = {(kind, name) for content in contents for kind in ("secrets", "configs") for name in content[kind]}
    return used | {("configs", name) for name, item in configs.items() if number_of(item) in kept}


def scaled(content: Content, numbers: Mapping[str, int]) -> Content:
    """The same with other numbers of tasks. numbers: by full names. Raises UserError for what has no such number."""
    services = dict(content["services"])
    for name, number in numbers.items():
        if name not in services:
            raise UserError(f"the stack has no service {name!r}", hint=f"it has {', '.join(sorted(services))}")
        if "Replicated" not in services[name]["Mode"]:
            raise UserError(f"service {name} cannot be scaled")
        services[name] = {**services[name], "Mode": {"Replicated": {"Replicas": number}}}
    return {**content, "services": services}
