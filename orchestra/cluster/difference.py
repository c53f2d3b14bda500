"""A change of an object as a diff of its YAML. Pure."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from orchestra.cluster.change import Effect
from orchestra.cluster.ownership import comparable
from orchestra.compose.yaml_text import render_yaml

if TYPE_CHECKING:
    from orchestra.cluster.change import Change
    from orchestra.cluster.kinds import Object

_IDENTITIES = frozenset({"SecretID", "ConfigID"})
"""Which the engine gives."""


def difference(change: Change) -> str:
    """Unified, with a final newline; empty if nothing changes. Contents of secrets are not shown."""
    if change.effect is Effect.UNCHANGED:
        return ""
    before, after = _text(change.before), _text(change.after)
    lines = difflib.unified_diff(
        before, after, f"{change.key} in the cluster", f"{change.key} in the file", lineterm=""
    )
    return "".join(f"{line}\n" for line in lines)


def _text(item: Object | None) -> list[str]:
    if item is None:
        return []
    # Objects of Swarm have no metadata; what is said of them is their specification.
    shown: dict[str, Any] = comparable(item) if "metadata" in item else dict(item.get("Spec") or item)
    if item.get("kind") == "Secret":
        shown["data"] = {name: _hidden(value) for name, value in (item.get("data") or {}).items()}
    if "Data" in shown:
        shown["Data"] = _hidden(shown["Data"])
    return render_yaml(_sorted(shown)).splitlines()


def _hidden(content: object) -> str:
    return f"{len(str(content))} bytes of base64"


def _sorted(value: Any) -> Any:
    """As the API writes objects."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value) if key not in _IDENTITIES}
    return [_sorted(item) for item in value] if isinstance(value, (list, tuple)) else value
