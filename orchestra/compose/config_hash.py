"""The identity of a resource's own definition: if it changes, the resource is made anew.

It leaves out what does not change the container itself: order, number, how the image is built, ``develop``, rolling
updates, and ``x-*``; and networks, which a container can join and leave while it runs.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_THE_CONTAINER = frozenset(
    {"attach", "build", "depends_on", "develop", "networks", "profiles", "pull_policy", "pull_refresh_after", "scale"}
)
_NOT_THE_CONTAINER_IN_DEPLOY = frozenset(
    {"endpoint_mode", "labels", "mode", "placement", "replicas", "rollback_config", "update_config"}
)


def config_hash(definition: Mapping[str, Any]) -> str:
    """sha256 of a definition given as plain data, in hexadecimal."""
    text = json.dumps(definition, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def service_hash(definition: Mapping[str, Any], surroundings: Mapping[str, Any]) -> str:
    """The hash of a service. ``surroundings``: names on the host of what it uses, digests of its files."""
    own = {key: value for key, value in definition.items() if key not in _NOT_THE_CONTAINER}
    if "deploy" in own:
        own["deploy"] = {k: v for k, v in own["deploy"].items() if v and k not in _NOT_THE_CONTAINER_IN_DEPLOY}
        if not own["deploy"]:
            del own["deploy"]
    return config_hash({"service": own, "surroundings": surroundings})
