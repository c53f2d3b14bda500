"""A change of an object as a diff of its YAML. Pure."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from orchestra.cluster.ownership import comparable
from orchestra.compose.yaml_text import render_yaml

if TYPE_CHECKING:
    from orchestra.cluster.deploy import Change
    from orchestra.cluster.kinds import Object


def difference(change: Change) -> str:
    """Unified, with a final newline; empty if nothing changes. Contents of secrets are not shown."""
    before, after = _text(change.before), _text(change.after)
    lines = difflib.unified_diff(
        before, after, f"{change.key} in the cluster", f"{change.key} in the file", lineterm=""
    )
    return "".join(f"{line}\n" for line in lines)


def _text(item: Object | None) -> list[str]:
    if item is None:
        return []
    shown: dict[str, Any] = comparable(item)
    if item.get("kind") == "Secret":
        shown["data"] = {name: f"{len(str(value))} bytes of base64" for name, value in (item.get("data") or {}).items()}
    return render_yaml(_sorted(shown)).splitlines()


def _sorted(value: Any) -> Any:
    """As the API writes objects."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, (list, tuple)) else value
