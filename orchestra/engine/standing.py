"""The state of a container, in the words of results and events."""

from __future__ import annotations

from orchestra.model.health import HealthStatus
from orchestra.model.observed import Container, Created, Exited, Running
from orchestra.model.result import ContainerState


def container_state(container: Container) -> ContainerState:
    """Created, running or exited, with its health if it has a health check that has begun."""
    health = HealthStatus.NONE
    match container.status:
        case Running(health=seen):
            state, health = "running", seen.status
        case Exited():
            state = "exited"
        case Created():
            state = "created"
    return ContainerState(container.name, container.service, state, health)
