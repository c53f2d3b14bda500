"""How containers join networks and publish ports: endpoints, aliases, ``links``, port ranges over replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.addresses import has_family, pools_of, usual_spelling
from orchestra.compose.complete import DEFAULT_NETWORK
from orchestra.compose.config_hash import config_hash
from orchestra.compose.endpoint_options import endpoint_options
from orchestra.compose.network_drivers import driver_of, leading_network
from orchestra.model.codec import encode
from orchestra.model.container import Endpoint, Port
from orchestra.model.desired import NetworkSpec
from orchestra.model.names import NetworkName, scoped_name
from orchestra.model.network_driver import NetworkDriver
from orchestra.record import replace
from orchestra.units import parse_port_range

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.network import Network

DEFAULT_BIND = "com.docker.network.bridge.host_binding_ipv4"


def host_name(context: Context, key: str) -> NetworkName:
    """The name on the host of the network whose key in the file is ``key``."""
    declared = context.stack.networks.get(key)
    return NetworkName((declared.name if declared else None) or scoped_name(context.stack.name or "", key))


def endpoints(key: str, container: str, context: Context) -> tuple[Endpoint, ...]:
    """The networks of one container, highest priority first, then by their keys in the file."""
    service = context.stack.services[key]
    if service.network_mode and service.network_mode != "bridge":
        return ()
    attachments = service.networks or {DEFAULT_NETWORK: None}
    linked = _link_aliases(key, context)
    found: list[tuple[int, str, Endpoint]] = []
    for name, attachment in attachments.items():
        aliases = (key, container, *(attachment.aliases if attachment else ()), *linked.get(name, ()))
        priority = (attachment.priority or 0) if attachment else 0
        endpoint = Endpoint(
            network=host_name(context, name),
            aliases=tuple(dict.fromkeys(aliases)),
            priority=priority,
            reserved=context.static_addresses.get(name, ()),
        )
        if attachment is not None:
            options = endpoint_options(attachment.driver_opts or {})
            has_ipv6 = has_family(context.stack.networks.get(name), 6)
            has_ipv4 = has_family(context.stack.networks.get(name), 4)
            endpoint = replace(
                endpoint,
                ipv4_address=(attachment.ipv4_address or "") if has_ipv4 else "",
                ipv6_address=usual_spelling(attachment.ipv6_address or "") if has_ipv6 else "",
                mac_address=attachment.mac_address or "",
                gateway_priority=attachment.gw_priority or 0,
                link_local_addresses=tuple(text for text in attachment.link_local_ips if has_ipv6 or ":" not in text),
                interface_name=attachment.interface_name or options.interface_name,
                settings=options.settings,
            )
        found.append((-priority, name, endpoint))
    result = [endpoint for _, _, endpoint in sorted(found, key=lambda item: item[:2])]
    if service.mac_address and result and not result[0].mac_address:
        result[0] = replace(result[0], mac_address=service.mac_address)
    return tuple(replace(endpoint, config_hash=_hash(endpoint)) for endpoint in result)


def _hash(endpoint: Endpoint) -> str:
    """Of what a running container can be given anew; see ``fixed``."""
    own = replace(endpoint, reserved=(), priority=0, mac_address="", interface_name="")
    return config_hash(encode(own))


def fixed(key: str, context: Context) -> list[tuple[str, int, str, str]]:
    """What a container keeps from its creation on: the order, names and hardware addresses of its interfaces."""
    given = (
        (endpoint.network, endpoint.priority, endpoint.mac_address, endpoint.interface_name)
        for endpoint in endpoints(key, "", context)
    )
    return sorted(entry for entry in given if any(entry[1:]))


def _link_aliases(key: str, context: Context) -> dict[str, list[str]]:
    """Names by which other services link to this one, on each network that they share."""
    own = set(context.stack.services[key].networks or {DEFAULT_NETWORK: None})
    found: dict[str, list[str]] = {}
    for alias, others in context.links.get(key, ()):
        for network in sorted(own & others):
            found.setdefault(network, []).append(alias)
    return found


def networks(context: Context, used: Mapping[NetworkName, int]) -> tuple[NetworkSpec, ...]:
    """The networks to make: those that containers use, or all. used: how many containers, by the name on the host."""
    from orchestra.compose.render import dump
    from orchestra.compose.schema.network import Network, Pool

    declared = dict(context.stack.networks)
    default = scoped_name(context.stack.name or "", DEFAULT_NETWORK)
    if default in used and DEFAULT_NETWORK not in declared:
        declared[DEFAULT_NETWORK] = Network(name=default)
    found: list[NetworkSpec] = []
    for key, network in declared.items():
        name = host_name(context, key)
        if name not in used and not context.project.keeps_unused:
            continue
        pools = pools_of(network)
        path = ("networks", key)
        _report_pools_left(key, network, {index for index, _ in pools.values()}, context)
        ipv4, ipv6 = (pools.get(version, (0, Pool()))[1] for version in (4, 6))
        auxiliary = {*(ipv4.aux_addresses or {}).values(), *(ipv6.aux_addresses or {}).values()}
        if network.driver not in (None, "", "default", *NetworkDriver):
            place: Path = (*path, "driver")
            message = f"unknown driver {network.driver}; the network is created as a bridge"
            context.problems.not_apply(message, context.span(place), place)
        found.append(
            NetworkSpec(
                key=key,
                name=name,
                config_hash=config_hash(dump(network, extensions=False)),
                external=network.external,
                internal=network.internal,
                driver=driver_of(network),
                subnet=ipv4.subnet or "",
                gateway=ipv4.gateway or "",
                ip_range=ipv4.ip_range or "",
                ipv4=has_family(network, 4),
                ipv6=has_family(network, 6) and not network.external,
                ipv6_subnet=ipv6.subnet or "",
                ipv6_gateway=ipv6.gateway or "",
                ipv6_ip_range=ipv6.ip_range or "",
                reserved=tuple(sorted(map(usual_spelling, auxiliary))),
                containers=used[name],
                driver_options=dict(network.driver_opts or {}),
                labels={
                    "com.docker.compose.network": key,
                    "com.docker.compose.project": context.stack.name or "",
                    **(network.labels or {}),
                },
                location=context.location(path, key=True),
            )
        )
    return tuple(found)


def _report_pools_left(key: str, network: Network, applied: Collection[int], context: Context) -> None:
    for index, pool in enumerate(network.ipam.config):
        if not pool.subnet or index in applied:
            continue
        version = 6 if ":" in pool.subnet else 4
        place: Path = ("networks", key, "ipam", "config", index, "subnet")
        if has_family(network, version):
            message, hint = f"a network has one IPv{version} subnet", ""
        else:
            message, hint = f"network {key} has no IPv{version}", f"set enable_ipv{version}: true on it"
        context.problems.not_apply(message, context.span(place), place, hint)


def ports(key: str, index: int, context: Context) -> tuple[Port, ...]:
    """The ports of replica ``index`` (from 1): each takes the next one of a published range, and then the first again.

    Replicas that have one host port share its connections.
    """
    if driver_of(leading_network(context.stack.services[key], context.stack.networks)) is not NetworkDriver.BRIDGE:
        return ()
    bind = default_bind(key, context)
    found: list[Port] = []
    for number, port in enumerate(context.stack.services[key].ports):
        path = ("services", key, "ports", number)
        published: int | None = None
        if port.published:
            offered = parse_port_range(port.published)
            published = offered.first + (index - 1) % len(offered)
        place, automatic = context.location(path), bool(published) and context.automatic_ports
        found.append(
            Port(port.target, published or None, port.host_ip or bind, port.protocol.lower(), place, automatic)
        )
    return tuple(found)


def default_bind(key: str, context: Context) -> str:
    """Where ports without an address of their own are published, by the network that they lead to."""
    leads = leading_network(context.stack.services[key], context.stack.networks)
    return (leads.driver_opts or {}).get(DEFAULT_BIND, "") if leads else ""
