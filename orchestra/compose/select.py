"""Which services are wanted: profiles, and the selection of the command with its dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.implied import dependencies, volume_sources
from orchestra.graph import reachable
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestra.compose.schema.service import Service
    from orchestra.compose.schema.stack import Stack

ALL_PROFILES = "*"


def is_active(service: Service, profiles: Collection[str]) -> bool:
    """Whether a service is active: it has no profile, or one of the active ones."""
    return not service.profiles or ALL_PROFILES in profiles or bool(set(service.profiles) & set(profiles))


def active_profiles(stack: Stack, profiles: Collection[str], selection: Collection[str]) -> frozenset[str]:
    """The profiles of the request, and those of the services it names."""
    named = (stack.services[name].profiles for name in selection if name in stack.services)
    return frozenset(profiles).union(*named)


def select(stack: Stack, profiles: Collection[str], selection: Collection[str], *, no_deps: bool) -> Stack:
    """The stack with only the active services and, if some are named, only those and their dependencies.

    no_deps: only those, and the services whose mounts they use by ``volumes_from``.
    """
    if selection and no_deps:
        wanted = reachable({name: volume_sources(service) for name, service in stack.services.items()}, selection)
        services = {name: service for name, service in stack.services.items() if name in wanted}
        return replace(stack, services=services)
    active = {name: service for name, service in stack.services.items() if is_active(service, profiles)}
    if selection:
        wanted = reachable({name: dependencies(service) for name, service in active.items()}, selection)
        active = {name: service for name, service in active.items() if name in wanted}
    return replace(stack, services=active)


def left_out(stack: Stack, selection: Collection[str]) -> dict[str, Service]:
    """What ``no_deps`` leaves out: the declared services that these depend on, directly or not."""
    edges = {name: dependencies(service) for name, service in stack.services.items()}
    wanted = reachable(edges, selection).difference(selection)
    return {name: service for name, service in stack.services.items() if name in wanted}
