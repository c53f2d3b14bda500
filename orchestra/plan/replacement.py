"""Replacements in a preview, and how new definitions differ from old ones: the second half of ``orchestra plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.mount import BindMount, FileMount
from orchestra.model.resource import Kind
from orchestra.plan.action import CreateContainer, CreateNetwork, RemoveContainer, RemoveNetwork, StopContainer
from orchestra.plan.difference import Change, differences
from orchestra.plan.removal import orphans
from orchestra.record import Record

if TYPE_CHECKING:
    from typing import Any

    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired, NetworkSpec
    from orchestra.model.observation import ForeseeResult
    from orchestra.model.observed import Observed
    from orchestra.model.resource import ResourceId
    from orchestra.plan.preview import Preview


class Replacement(Record):
    """changes: empty if the definition is the same, or if the old one is not known."""

    resource: ResourceId
    reason: str
    changes: tuple[Change, ...] = ()


def replacements(preview: Preview, outlook: ForeseeResult) -> list[Replacement]:
    """Containers and networks that ``preview`` removes and recreates, in the order in which that begins.

    Changes are relative to the definitions that are desired now, for containers and networks created from them.
    """
    actions = [action for step in preview.rounds for action in step]
    created = {action.resource for action in actions if isinstance(action, (CreateContainer, CreateNetwork))}
    removed = {action.resource for action in actions if isinstance(action, (RemoveContainer, RemoveNetwork))}
    found: dict[ResourceId, Replacement] = {}
    for action in actions:
        resource = action.resource
        if resource in found or resource not in created or resource not in removed:
            continue
        if resource.kind is Kind.CONTAINER and resource.name not in outlook.observed.containers:
            continue  # a stand-in, which comes and goes
        if isinstance(action, (StopContainer, RemoveContainer, RemoveNetwork)):
            reason = action.reason.removeprefix("to be replaced: ")
            found[resource] = Replacement(
                resource, reason, _changes(resource, outlook.current, outlook.desired, outlook.observed)
            )
    return list(found.values())


def _changes(resource: ResourceId, current: Desired | None, desired: Desired, observed: Observed) -> tuple[Change, ...]:
    kind, name = resource
    if kind is Kind.NETWORK:
        seen = observed.networks.get(name)
        old, new = _network(current, name), _network(desired, name)
        known = seen is not None and old is not None and old.config_hash == seen.config_hash
        return differences(old, new) if known and old is not None and new is not None else ()
    container = observed.containers[name]
    wanted, before = desired.container(name), _made_from(current, name, container.config_hash)
    if wanted is None:
        return ()
    changes = () if before is None else differences(before, wanted)
    if before is not None and not changes and before.config_hash != wanted.config_hash:
        # The hash also covers files of configs and secrets, and attributes without an effect here.
        declared = [
            mount.declared for mount in wanted.mounts if isinstance(mount, BindMount | FileMount) and mount.declared
        ]
        changes = (Change(f"content of {' or '.join(declared)}", None, None),) if declared else ()
    digest = observed.images[wanted.image_key].digest if wanted.image_key in observed.images else ""
    if digest and container.image_digest and container.image_digest != digest and container.image == wanted.image:
        changes += (Change(f"image {wanted.image}", _short(container.image_digest), _short(digest)),)
    return changes


def _made_from(current: Desired | None, name: str, config_hash: str) -> ContainerSpec | None:
    """The definition that it was created from, which may be the one before an edit that was refused."""
    known = (*current.containers, *(earlier.spec for earlier in current.earlier)) if current else ()
    return next((spec for spec in known if spec.name == name and spec.config_hash == config_hash), None)


def _network(desired: Desired | None, name: str) -> NetworkSpec | None:
    return next((spec for spec in desired.networks if spec.name == name), None) if desired else None


def _short(digest: str) -> str:
    algorithm, colon, digits = digest.partition(":")
    return f"{algorithm}{colon}{digits[:12]}"


def left_alone(outlook: ForeseeResult) -> tuple[str, ...]:
    """Names of containers that no service declares and that are kept."""
    return () if outlook.desired.request.remove_orphans else orphans(outlook.desired, outlook.observed)


def render_text(replaced: list[Replacement], orphaned: tuple[str, ...], kept: tuple[str, ...]) -> str:
    """A line for each, with the changes below it; empty if there is nothing to report. kept: names of volumes."""
    lines: list[str] = []
    for replacement in replaced:
        lines.append(f"replaced {replacement.resource}  {replacement.reason}")
        lines += [f"    {change}" for change in replacement.changes]
    lines += [f"orphan   container/{name}  no service declares it; --remove-orphans removes it" for name in orphaned]
    lines += [f"kept     volume/{name}  its definition changed, but its data must be moved first" for name in kept]
    return "".join(f"{line}\n" for line in lines)


def render_data(replaced: list[Replacement], orphaned: tuple[str, ...], kept: tuple[str, ...]) -> dict[str, Any]:
    """The same as JSON-able data."""
    return {
        "replaced": [
            {
                "resource": str(replacement.resource),
                "reason": replacement.reason,
                "changes": [{"path": c.path, "before": c.before, "after": c.after} for c in replacement.changes],
            }
            for replacement in replaced
        ],
        "orphans": list(orphaned),
        "kept": list(kept),
    }
