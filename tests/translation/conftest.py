"""Files as translations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from orchestra.compose import LoadRequest
from orchestra.translation.source import read
from orchestra.translation.targets import target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestra.translation.result import Translation


@pytest.fixture
def convert(tmp_path: Path) -> Callable[..., Translation]:
    """The translation of a text, of a stack called ``stack``."""

    def convert(text: str, engine: str = "kubernetes", **environment: str) -> Translation:
        (tmp_path / "compose.yaml").write_text(text)
        request = LoadRequest(
            environment=environment,
            working_directory=str(tmp_path),
            files=("compose.yaml",),
            project_name="stack",
            profiles=("*",),
        )
        return target(engine).translate(read(request))

    return convert


def find(translation: Translation, kind: str, name: str = "") -> dict[str, Any]:
    """The only object of that kind and name."""
    found = [
        item for item in translation.objects if item["kind"] == kind and (not name or item["metadata"]["name"] == name)
    ]
    assert len(found) == 1, [(item["kind"], item["metadata"]["name"]) for item in translation.objects]
    return found[0]


def pod(translation: Translation, kind: str, name: str = "") -> dict[str, Any]:
    """The specification of the pods of a workload."""
    spec: dict[str, Any] = find(translation, kind, name)["spec"]["template"]["spec"]
    return spec


def box(translation: Translation, kind: str = "Deployment", name: str = "") -> dict[str, Any]:
    """The container of a workload's pods."""
    (container,) = pod(translation, kind, name)["containers"]
    found: dict[str, Any] = container
    return found


def told(translation: Translation) -> dict[str, str]:
    """Losses: their codes, by subject."""
    return {loss.subject: loss.code for loss in translation.losses}
