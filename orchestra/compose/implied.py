"""Dependencies that a service has without naming them in ``depends_on``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.schema.process import Dependency

if TYPE_CHECKING:
    from orchestra.compose.schema.service import Service

_NAMESPACES = ("network_mode", "ipc", "pid", "uts", "cgroup")


def shared_service(value: str | None) -> str | None:
    """``service:x`` names x."""
    return value.partition(":")[2] if value and value.startswith("service:") else None


def volume_sources(service: Service) -> frozenset[str]:
    """The services that ``volumes_from`` names."""
    names = (entry.partition(":")[0] for entry in service.volumes_from)
    return frozenset(name for name in names if name != "container")


def implied_dependencies(service: Service) -> dict[str, Dependency]:
    """What ``links``, shared namespaces and ``volumes_from`` imply, by name. Explicit entries win over these."""
    found: dict[str, Dependency] = {}
    follows = Dependency(condition="service_started", restart=True)
    for link in service.links:
        found[link.partition(":")[0]] = follows
    for attribute in _NAMESPACES:
        shared = shared_service(getattr(service, attribute))
        if shared:
            found[shared] = follows
    for name in volume_sources(service):
        found.setdefault(name, Dependency(condition="service_started"))
    return found


def all_dependencies(service: Service) -> dict[str, Dependency]:
    """Explicit and implied ones."""
    return {**implied_dependencies(service), **(service.depends_on or {})}


def dependencies(service: Service) -> frozenset[str]:
    """The names of ``all_dependencies``."""
    return frozenset(all_dependencies(service))
