"""What was asked of the API for a container, kept with its definition in the desired state. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from orchestra.model.container import ContainerSpec

ANNOTATION = "io.orchestra.engine-api"


class Made(NamedTuple):
    """name: as Docker's clients know it, which may change. image: as it was asked for. config, host_config: of the
    request, in Docker's shape.
    """

    name: str
    image: str
    config: Mapping[str, Any]
    host_config: Mapping[str, Any]

    @property
    def auto_remove(self) -> bool:
        return bool(self.host_config.get("AutoRemove"))

    @property
    def labels(self) -> Mapping[str, str]:
        return self.config.get("Labels") or {}

    def render(self) -> str:
        return json.dumps(self, separators=(",", ":"))


def read_made(spec: ContainerSpec) -> Made | None:
    """None for a container that was not made through the API."""
    text = spec.annotations.get(ANNOTATION)
    return Made(*json.loads(text)) if text else None
