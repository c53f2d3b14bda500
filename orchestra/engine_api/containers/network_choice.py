"""Which networks a new container joins, and how."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from orchestra.engine_api.containers.definition import BRIDGE, network_mode_of
from orchestra.engine_api.errors import not_found
from orchestra.errors import UserError
from orchestra.model.container import Endpoint
from orchestra.model.desired import NetworkSpec
from orchestra.model.names import NetworkName
from orchestra.stacks.host_networks import find_network

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from orchestra.stacks.context import Context

DEFAULT = NetworkSpec(BRIDGE, NetworkName(BRIDGE), config_hash=BRIDGE)
"""The network of containers that ask for no other."""


class Choice(NamedTuple):
    endpoints: tuple[Endpoint, ...] = ()
    networks: tuple[NetworkSpec, ...] = ()


def choose_networks(
    context: Context, host: Mapping[str, Any], asked: Mapping[str, Any], name: str, mac_address: str = ""
) -> Choice:
    """asked: ``EndpointsConfig``. name: of the container, which others find it by. mac_address: on the first network.

    Raises ApiError.
    """
    mode = network_mode_of(host)
    if mode in ("host", "none") or mode.startswith("container:"):
        return Choice()
    # A client names the first network in the mode, and describes it by the same word, by its name or by its id.
    wanted: dict[str, Mapping[str, Any]] = {}
    specs: dict[str, NetworkSpec] = {}
    for word, settings in ({mode: {"MacAddress": mac_address}} | dict(asked)).items():
        spec = find_spec(context, BRIDGE if word == "default" else word)
        specs[spec.name] = spec
        wanted[spec.name] = {**wanted.get(spec.name, {}), **(settings or {})}
    return Choice(tuple(endpoint(key, settings, name) for key, settings in wanted.items()), tuple(specs.values()))


def find_spec(context: Context, word: str) -> NetworkSpec:
    """Of the default network, or of one that exists. Raises ApiError."""
    if word == BRIDGE:
        return DEFAULT
    try:
        found = find_network(context, word)
    except UserError as error:
        raise not_found(f"network {word} not found") from error
    if found.name == BRIDGE:
        return DEFAULT
    return NetworkSpec(found.name, NetworkName(found.name), config_hash=found.name, external=True)


def endpoint(network: str, settings: Mapping[str, Any], name: str) -> Endpoint:
    """settings: ``EndpointSettings``."""
    addresses = settings.get("IPAMConfig") or {}
    aliases = tuple(dict.fromkeys((name, *(settings.get("Aliases") or ()))))
    made = Endpoint(
        NetworkName(network),
        aliases=aliases,
        ipv4_address=addresses.get("IPv4Address") or "",
        ipv6_address=addresses.get("IPv6Address") or "",
        link_local_addresses=tuple(addresses.get("LinkLocalIPs") or ()),
        mac_address=settings.get("MacAddress") or "",
        gateway_priority=settings.get("GwPriority") or 0,
    )
    return with_hash(made)


def with_hash(endpoint: Endpoint) -> Endpoint:
    from orchestra.record import replace

    plain = replace(endpoint, config_hash="")
    return replace(plain, config_hash=hashlib.sha256(repr(plain).encode()).hexdigest())
