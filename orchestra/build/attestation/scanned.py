"""Stages besides the target that a bill of materials is to cover: those that ARG BUILDKIT_SBOM_SCAN_STAGE asks for.

See https://docs.docker.com/build/metadata/attestations/sbom/#scan-stages. In a stage it counts for that one, before the
first FROM for every stage that the target needs: true, false, or names of stages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.build.stages import Stages
    from orchestra.build.steps import Evaluated

ARGUMENT = "BUILDKIT_SBOM_SCAN_STAGE"
_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false", "")


def find_scanned(stages: Stages, evaluated: Mapping[int, Evaluated]) -> tuple[tuple[str, int], ...]:
    """Names of stages, and the steps with their trees."""
    found = []
    for index, done in evaluated.items():
        name = stages.dockerfile.stages[index].name or f"stage-{index}"
        own = done.variables.get(ARGUMENT) if ARGUMENT in done.arguments else None
        value = stages.variables.get(ARGUMENT, "") if own is None else own
        if index != stages.target and _is_meant(name, value):
            found.append((name, done.tree))
    return tuple(found)


def _is_meant(name: str, value: str) -> bool:
    if value.lower() in (*_TRUE, *_FALSE):
        return value.lower() in _TRUE
    return name.lower() in value.lower().split(",")
