"""``x-orchestra: {restart: unhealthy}`` of a service: a container that has become unhealthy is restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.automatic_ports import EXTENSION

if TYPE_CHECKING:
    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.service import Service

UNHEALTHY = "unhealthy"


def restarts_unhealthy(service: Service) -> bool:
    extension = service.extensions.get(EXTENSION)
    return isinstance(extension, dict) and extension.get("restart") == UNHEALTHY


def check_healing(service: Service, path: Path, context: Context) -> None:
    """Another value than ``unhealthy`` is an error."""
    extension = service.extensions.get(EXTENSION)
    if not isinstance(extension, dict) or extension.get("restart", UNHEALTHY) == UNHEALTHY:
        return
    place = (*path, EXTENSION, "restart")
    message = f"{EXTENSION}.restart is {extension['restart']!r}, which is not a reason to restart"
    context.problems.error("invalid-value", message, context.span(place), place, f"write {UNHEALTHY}, or leave it out")
