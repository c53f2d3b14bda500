"""Which driver a network has, and whether what the file asks of it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.complete import DEFAULT_NETWORK
from orchestra.model.network_driver import PARENT, NetworkDriver, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.network import Network
    from orchestra.compose.schema.service import Service

    Refuse = Callable[[Path, str, str], None]


def driver_of(network: Network | None) -> NetworkDriver:
    """A bridge for one that declares none, or a driver that is unknown. Nothing is known of an external network."""
    if network is None or network.external or network.driver not in list(NetworkDriver):
        return NetworkDriver.BRIDGE
    return NetworkDriver(network.driver)


def leading_network(service: Service, networks: Mapping[str, Network]) -> Network | None:
    """The network that the default route and published ports lead to; None if it is not declared, or there is none."""
    if service.network_mode and service.network_mode != "bridge":
        return None
    joined = service.networks or {DEFAULT_NETWORK: None}
    ordered = sorted(joined.items(), key=lambda item: (-((item[1].priority or 0) if item[1] else 0), item[0]))
    open_to_others = [(key, each) for key, each in ordered if _leads_out(networks.get(key))]
    leads = max(open_to_others, key=lambda item: (item[1].gw_priority or 0) if item[1] else 0, default=None)
    return networks.get(leads[0]) if leads else None


def _leads_out(network: Network | None) -> bool:
    if network is None or driver_of(network) is NetworkDriver.BRIDGE:
        return not (network and network.internal)
    return not network.internal and bool((network.driver_opts or {}).get(PARENT))


def check_drivers(context: Context, refuse: Refuse) -> None:
    """Report options that do not fit their network's driver, and what a service cannot have on its networks."""
    networks = context.stack.networks
    for key, network in networks.items():
        _check_options(network, ("networks", key, "driver_opts"), refuse)
    for key, service in context.stack.services.items():
        for name, attachment in (service.networks or {}).items():
            if attachment and attachment.mac_address and driver_of(networks.get(name)) is NetworkDriver.IPVLAN:
                place: Path = ("services", key, "networks", name, "mac_address")
                refuse(place, "on an ipvlan network, containers have the hardware address of its parent", "remove it")
        leading = leading_network(service, networks)
        if service.ports and driver_of(leading) is not NetworkDriver.BRIDGE:
            place = ("services", key, "ports")
            message = f"a network with the driver {driver_of(leading)} publishes no ports"
            hint = "the container is reached at its own address, on every port that it listens on"
            context.problems.not_apply(message, context.span(place), place, hint)


def _check_options(network: Network, place: Path, refuse: Refuse) -> None:
    options = network.driver_opts or {}
    driver = driver_of(network)
    for option, allowed in words_of(driver).items():
        if options.get(option) and options[option] not in allowed:
            refuse((*place, option), f"{options[option]!r} is none of {', '.join(allowed)}", "")
    if driver is not NetworkDriver.BRIDGE and options.get(PARENT) == "lo":
        refuse((*place, PARENT), "the loopback interface leads to no network", "name another interface")
