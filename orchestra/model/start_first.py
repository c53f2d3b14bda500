"""Which containers can run beside their successor, as ``deploy.update_config.order: start-first`` asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.sharing import Bare, Own
from orchestra.model.update import Order

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec


def obstacle(spec: ContainerSpec, stack: str) -> str | None:
    """What keeps another container of the service from running beside this one, in words; None if nothing does."""
    if not isinstance(spec.network_mode, (Own, Bare)):
        return "it uses a network namespace that is not its own"
    for endpoint in spec.endpoints:
        if endpoint.ipv4_address or endpoint.ipv6_address or endpoint.link_local_addresses or endpoint.mac_address:
            return "it has a fixed address"
    numbered = {f"{stack}{separator}{spec.service}{separator}{spec.index}" for separator in "-_"}
    return None if spec.name in numbered else "it has a container_name"


def starts_first(spec: ContainerSpec, stack: str) -> bool:
    """Whether it is to be replaced so, and can be."""
    return spec.update is not None and spec.update.order is Order.START_FIRST and obstacle(spec, stack) is None
