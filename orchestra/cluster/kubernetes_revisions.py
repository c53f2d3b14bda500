"""What a stack was deployed as in Kubernetes, kept in Secrets, since it holds the secrets of the stack. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.cluster.kinds import MANAGER, STACK, WORKLOADS, key_of
from orchestra.cluster.revisions import REVISION
from orchestra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.cluster.kinds import Key, Object

_CONTENT = "objects"


def keeping(stack: str, number: int, text: str) -> Object:
    """The Secret that keeps a revision."""
    labels = {STACK: stack, MANAGER: "orchestra", REVISION: str(number)}
    metadata = {"name": f"{stack.replace('_', '-')}-revision-{number}", "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {_CONTENT: text}}


def number_of(item: Object) -> int:
    """Of the revision that an object keeps, 0 for others."""
    return int((item["metadata"].get("labels") or {}).get(REVISION) or 0)


def kept_of(objects: Mapping[Key, Object]) -> dict[int, str]:
    """The revisions among the objects of a stack."""
    return {number_of(item): item["data"][_CONTENT] for item in objects.values() if number_of(item)}


def scaled(objects: Sequence[Object], numbers: Mapping[str, int]) -> list[Object]:
    """The same with other numbers of pods. Raises UserError for what has no such number."""
    found = {item["metadata"]["name"]: item for item in objects if item["kind"] in WORKLOADS}
    for name in numbers:
        if name not in found:
            raise UserError(f"the stack has no workload {name!r}", hint=f"it has {', '.join(sorted(found)) or 'none'}")
        if found[name]["kind"] not in ("Deployment", "StatefulSet"):
            raise UserError(f"{key_of(found[name])} cannot be scaled")
    return [
        {**item, "spec": {**item["spec"], "replicas": numbers[item["metadata"]["name"]]}}
        if item["kind"] in WORKLOADS and item["metadata"]["name"] in numbers
        else item
        for item in objects
    ]
