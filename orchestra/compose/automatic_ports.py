"""``x-orchestra: {ports: auto}``: fixed host ports that are in use are replaced by free ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestra.compose.nodes import Map
    from orchestra.compose.problems import Problems
    from orchestra.compose.schema.stack import Stack

from orchestra.compose.nodes import locate

EXTENSION = "x-orchestra"


def has_automatic_ports(stack: Stack, document: Map, problems: Problems) -> bool:
    """What the file says. Another value than ``auto`` is an error."""
    extension = stack.extensions.get(EXTENSION)
    if not isinstance(extension, dict) or "ports" not in extension:
        return False
    if extension["ports"] != "auto":
        path = (EXTENSION, "ports")
        message = f"{EXTENSION}.ports is {extension['ports']!r}, which is not a way to choose ports"
        problems.error("invalid-value", message, locate(document, path), path, "write auto, or leave it out")
    return True
