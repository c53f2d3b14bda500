"""Objects as text: what ``kubectl apply -f`` reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from orchestra.compose.yaml_text import render_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.translation.result import Object


def manifest(objects: Iterable[Object], format_: Literal["yaml", "json"]) -> str:
    """One text with all objects in their order: documents of YAML, or a JSON list."""
    if format_ == "json":
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": [*objects]}, indent=2) + "\n"
    return "---\n".join(render_yaml(item) for item in objects)


def manifests(objects: Iterable[Object]) -> dict[str, str]:
    """A YAML text for each object, by the name of its file, whose order is that of the objects."""
    return {
        f"{number:03}-{item['kind'].lower()}-{item['metadata']['name']}.yaml": render_yaml(item)
        for number, item in enumerate(objects)
    }
