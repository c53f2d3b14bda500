"""Variables that are added to containers after the file was loaded."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.model.container import ContainerSpec


def with_variables(spec: ContainerSpec, found: Mapping[str, str]) -> ContainerSpec:
    """Add variables. A container is recreated if one of them has changed."""
    if not found:
        return spec
    digest = hashlib.sha256(json.dumps([spec.config_hash, sorted(found.items())]).encode()).hexdigest()
    return replace(spec, environment={**spec.environment, **found}, config_hash=digest)
