"""Containers as they are, from their directories alone: no supervisor is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.driver.local.look import look_at_container, look_at_containers
from orchestra.model.health import Health, HealthStatus
from orchestra.model.hook import Hook
from orchestra.model.observed import Container, Created, Exited, Healthcheck, Running

if TYPE_CHECKING:
    from typing import Any

    from orchestra.home import StackHome

SEQUENCES = ("command", "networks", "ports", "exposed", "volumes", "depends_on")


def observe_containers(stack_home: StackHome) -> dict[str, Container]:
    """Every container of the stack, keyed by name and in its order."""
    return {encoded["name"]: _container(encoded) for encoded in look_at_containers(stack_home)}


def observe_container(directory: str) -> Container | None:
    """The container of this directory; None when there is none, or only one that began to be made or removed."""
    encoded = look_at_container(directory)
    return None if encoded is None else _container(encoded)


def _container(encoded: dict[str, Any]) -> Container:
    """By hand: the codec, and all the types it would have to load, cost more than the rest."""
    fields: dict[str, Any] = {key: tuple(value) if key in SEQUENCES else value for key, value in encoded.items()}
    fields["status"] = _status(**encoded["status"])
    if check := fields.get("healthcheck"):
        fields["healthcheck"] = Healthcheck(**{**check, "test": tuple(check["test"])})
    for kind in ("post_start", "pre_stop"):
        if hooks := fields.get(kind):
            fields[kind] = tuple(Hook(**{**hook, "command": tuple(hook["command"])}) for hook in hooks)
    return Container(**fields)


def _status(kind: str, **fields: Any) -> Created | Running | Exited:
    match kind:
        case "Running":
            health = fields["health"]
            status = HealthStatus(health.get("status", HealthStatus.NONE))
            probed = Health(**{**health, "status": status})
            marks = {mark: True for mark in ("paused", "stopping") if fields.get(mark)}
            return Running(fields["pid"], fields["started_at"], probed, **marks)
        case "Exited":
            return Exited(**fields)
        case _:
            return Created()
