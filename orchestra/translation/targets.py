"""The engines that a stack can be translated for, and how the result is written for each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from orchestra.compose.yaml_text import render_yaml
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.translation.result import Translation
    from orchestra.translation.source import Source


class Target(Record):
    """render: the objects as one text. files: the same as several files, by name."""

    translate: Callable[[Source], Translation]
    render: Callable[[Translation, Literal["yaml", "json"]], str]
    files: Callable[[Translation], dict[str, bytes]]


def target(name: str) -> Target:
    """By its name on the command line. Raises KeyError for another one."""
    from orchestra.translation.kubernetes.translate import translate as to_kubernetes
    from orchestra.translation.quadlet.translate import translate as to_quadlet
    from orchestra.translation.swarm.translate import translate as to_swarm

    return {
        "kubernetes": Target(to_kubernetes, _manifest, _manifests),
        "quadlet": Target(to_quadlet, _quadlets, _units),
        "swarm": Target(to_swarm, _stack_file, _stack_files),
    }[name]


def _manifest(translation: Translation, format_: Literal["yaml", "json"]) -> str:
    """What ``kubectl apply -f`` reads: documents of YAML, or a JSON list."""
    if format_ == "json":
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": [*translation.objects]}, indent=2) + "\n"
    return "---\n".join(render_yaml(item) for item in translation.objects)


def _manifests(translation: Translation) -> dict[str, bytes]:
    return {
        f"{number:03}-{item['kind'].lower()}-{item['metadata']['name']}.yaml": render_yaml(item).encode()
        for number, item in enumerate(translation.objects)
    }


def _stack_file(translation: Translation, format_: Literal["yaml", "json"]) -> str:
    """What ``docker stack deploy -c`` reads."""
    (document,) = translation.objects
    return json.dumps(document, indent=2) + "\n" if format_ == "json" else render_yaml(document)


def _stack_files(translation: Translation) -> dict[str, bytes]:
    return {"stack.yaml": _stack_file(translation, "yaml").encode(), **translation.files}


def _quadlets(translation: Translation, format_: Literal["yaml", "json"]) -> str:
    """What ``podman quadlet install`` reads as one file that ends with ``.quadlets``."""
    from orchestra.translation.quadlet.unit import render_unit

    if format_ == "json":
        return json.dumps([*translation.objects], indent=2) + "\n"
    named = ((unit["name"].rpartition(".")[0], render_unit(unit)) for unit in translation.objects)
    return "\n---\n".join(f"# FileName={name}\n{text}" for name, text in named)


def _units(translation: Translation) -> dict[str, bytes]:
    from orchestra.translation.quadlet.unit import render_unit

    return {**{unit["name"]: render_unit(unit).encode() for unit in translation.objects}, **translation.files}
