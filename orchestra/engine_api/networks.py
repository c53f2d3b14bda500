"""Endpoints of networks. Those made through the API are networks made by hand, each a stack of its own.

``bridge``, ``host`` and ``none`` are always listed: clients expect them, whether or not a container uses them.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from ipaddress import ip_network
from typing import TYPE_CHECKING

from orchestra.engine_api.containers.definition import BRIDGE
from orchestra.engine_api.errors import bad_request, conflict, forbidden, not_found
from orchestra.engine_api.filters import parse_filters, truth
from orchestra.engine_api.moment import NEVER, parse_moment
from orchestra.engine_api.world import OWN_STACK
from orchestra.errors import UserError
from orchestra.model.log import render_moment
from orchestra.stacks.connections import ConnectOptions, connect, disconnect
from orchestra.stacks.filters import has_labels, is_one_of
from orchestra.stacks.host_networks import list_networks, remove_network
from orchestra.stacks.standalone_network import NewNetwork, create_network

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from orchestra.engine_api.exchange import Exchange
    from orchestra.engine_api.world import Found, World
    from orchestra.model.host_network import HostNetwork

FILTERS = ("dangling", "driver", "id", "label", "label!", "name", "scope", "type")
PREDEFINED = {BRIDGE: BRIDGE, "host": "host", "none": "null"}
"""Name and driver."""


def list_all(world: World, exchange: Exchange) -> None:
    filters = parse_filters(exchange.request.query.get("filters", ""), FILTERS)
    rows = [row for row in _rows(world, with_members=False) if _fits(row, filters)]
    exchange.answer(rows)


def _rows(world: World, *, with_members: bool) -> list[dict[str, Any]]:
    found = {each.name: each for each in list_networks(world.context)}
    rows = [_shape(world, each, with_members=with_members) for each in found.values() if _is_seen(world, each)]
    absent = [name for name in PREDEFINED if name not in found]
    return rows + [_predefined(name, _attached_without(world, name) if with_members else {}) for name in absent]


def _is_seen(world: World, network: HostNetwork) -> bool:
    return not world.stacks or network.stack in world.stacks


def _shape(world: World, network: HostNetwork, *, with_members: bool) -> dict[str, Any]:
    """Engine API, ``Network``."""
    names = {each.id: each.name for each in world.containers()} if with_members else {}
    labels = dict(network.labels)
    if not network.stack.startswith(("network-", OWN_STACK)):
        labels.setdefault("com.docker.compose.project", network.stack)
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": render_moment(network.created_at),
        "Scope": "local",
        "Driver": str(network.driver),
        "EnableIPv4": network.has_ip(4),
        "EnableIPv6": network.has_ip(6),
        "IPAM": {
            "Driver": "default",
            "Options": None,
            "Config": [
                {"Subnet": each.subnet, "Gateway": each.gateway} | ({"IPRange": each.ip_range} if each.ip_range else {})
                for each in network.subnets
            ],
        },
        "Internal": network.internal,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {
            each.id: {
                "Name": names.get(each.id, each.name),
                "EndpointID": each.id,
                "MacAddress": each.mac_address,
                "IPv4Address": each.address,
                "IPv6Address": each.ipv6_address,
            }
            for each in (network.members if with_members else ())
        },
        "Options": dict(network.driver_options),
        "Labels": labels,
    }


def _predefined(name: str, containers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Name": name,
        "Id": name,
        "Created": NEVER,
        "Scope": "local",
        "Driver": PREDEFINED[name],
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": []},
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": dict(containers),
        "Options": {},
        "Labels": {},
    }


def _attached_without(world: World, name: str) -> dict[str, Any]:
    """Containers in the host's network, or in none."""
    from orchestra.model.sharing import Bare, Host

    kinds = {"host": Host, "none": Bare}
    if name not in kinds:
        return {}
    return {
        each.id: {"Name": each.name, "EndpointID": "", "MacAddress": "", "IPv4Address": "", "IPv6Address": ""}
        for each in world.containers()
        if each.runs and each.spec and isinstance(each.spec.network_mode, kinds[name])
    }


def _fits(row: Mapping[str, Any], filters: Mapping[str, list[str]]) -> bool:
    dangling = truth(filters, "dangling")
    kind = "builtin" if row["Name"] in PREDEFINED else "custom"
    return (
        is_one_of(filters, "name", lambda text: text in row["Name"])
        and is_one_of(filters, "id", row["Id"].startswith)
        and is_one_of(filters, "driver", row["Driver"].__eq__)
        and is_one_of(filters, "scope", row["Scope"].__eq__)
        and is_one_of(filters, "type", kind.__eq__)
        and has_labels(filters, row["Labels"])
        and (dangling is None or (kind == "custom" and not row["Containers"]) is dangling)
    )


def find(world: World, word: str) -> dict[str, Any]:
    """By name, id, or the beginning of an id. Raises ApiError."""
    rows = _rows(world, with_members=True)
    exact = [row for row in rows if word in (row["Name"], row["Id"])]
    found = exact or [row for row in rows if row["Name"] not in PREDEFINED and row["Id"].startswith(word)]
    if not found:
        raise not_found(f"network {word} not found")
    if len(found) > 1 and not exact:
        raise bad_request(f"network {word} is ambiguous ({len(found)} matches found on name)")
    return found[0]


def inspect(world: World, exchange: Exchange) -> None:
    exchange.answer(find(world, exchange.parameters["id"]))


def create(world: World, exchange: Exchange) -> None:
    body = exchange.document()
    name = body.get("Name")
    if not isinstance(name, str) or not name:
        raise bad_request("the network has no name")
    if name in PREDEFINED:
        raise forbidden(f"operation is not permitted on predefined {name} network")
    if any(row["Name"] == name for row in _rows(world, with_members=False)):
        raise conflict(f"network with name {name} already exists")
    pools = [each for each in (body.get("IPAM") or {}).get("Config") or () if isinstance(each, dict)]
    asked = NewNetwork(
        name,
        driver=body.get("Driver") or "bridge",
        subnets=tuple(_subnet(each["Subnet"]) for each in pools if each.get("Subnet")),
        gateways=tuple(each["Gateway"] for each in pools if each.get("Gateway")),
        ip_ranges=tuple(each["IPRange"] for each in pools if each.get("IPRange")),
        aux_addresses=tuple(
            f"{host}={address}" for each in pools for host, address in (each.get("AuxiliaryAddresses") or {}).items()
        ),
        options=_pairs(body.get("Options")),
        labels=_pairs(body.get("Labels")),
        internal=bool(body.get("Internal")),
        attachable=bool(body.get("Attachable")),
        ipv4=body.get("EnableIPv4") is not False,
        ipv6=bool(body.get("EnableIPv6")),
    )
    identifier = create_network(world.context, asked)
    exchange.answer({"Id": identifier, "Warning": ""}, HTTPStatus.CREATED)


def _subnet(text: str) -> str:
    """Without the bits of a host, which Docker ignores. Raises ApiError."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError as error:
        raise bad_request(f"invalid subnet {text}") from error


def _pairs(values: Mapping[str, str] | None) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in (values or {}).items())


def remove(world: World, exchange: Exchange) -> None:
    row = find(world, exchange.parameters["id"])
    _remove(world, row)
    exchange.empty()


def _remove(world: World, row: Mapping[str, Any]) -> None:
    """Raises ApiError."""
    name = row["Name"]
    if name in PREDEFINED:
        raise forbidden(f"{name} is a pre-defined network and cannot be removed")
    if row["Containers"]:
        raise forbidden(f"error while removing network: network {name} id {row['Id']} has active endpoints")
    try:
        remove_network(world.context, name)
    except UserError as error:
        raise conflict(f"error while removing network: {error.message}") from error


def connect_container(world: World, exchange: Exchange) -> None:
    body, row = exchange.document(), find(world, exchange.parameters["id"])
    found = world.find(str(body.get("Container") or ""))
    settings = body.get("EndpointConfig") or {}
    addresses = settings.get("IPAMConfig") or {}
    _need_custom(row)
    options = ConnectOptions(
        row["Name"],
        found.id,
        tuple(dict.fromkeys((found.name, *(settings.get("Aliases") or ())))),
        ipv4_address=addresses.get("IPv4Address") or "",
        ipv6_address=addresses.get("IPv6Address") or "",
        link_local_addresses=tuple(addresses.get("LinkLocalIPs") or ()),
        gateway_priority=settings.get("GwPriority") or 0,
        driver_options=_pairs(settings.get("DriverOpts")),
    )
    try:
        connect(world.context, options)
    except UserError as error:
        if "already" in error.message:
            raise forbidden(f"endpoint with name {found.name} already exists in network {row['Name']}") from error
        raise
    _tell(world, "connect", row, found)
    exchange.empty(HTTPStatus.OK, [("Content-Length", "0")])


def disconnect_container(world: World, exchange: Exchange) -> None:
    body, row = exchange.document(), find(world, exchange.parameters["id"])
    found = world.find(str(body.get("Container") or ""))
    if row["Name"] in ("host", "none"):
        raise conflict(f"cannot disconnect container from {row['Name']} network")
    try:
        disconnect(world.context, row["Name"], found.id)
    except UserError as error:
        raise forbidden(f"container {found.id} is not connected to network {row['Name']}") from error
    _tell(world, "disconnect", row, found)
    exchange.empty(HTTPStatus.OK, [("Content-Length", "0")])


def _tell(world: World, action: str, row: Mapping[str, Any], found: Found) -> None:
    attributes = {"container": found.id, "name": row["Name"], "type": row["Driver"]}
    world.events.tell("network", action, row["Id"], attributes)


def _need_custom(row: Mapping[str, Any]) -> None:
    if row["Name"] in ("host", "none"):
        raise forbidden(f"container cannot be connected to {row['Name']} network")


def prune(world: World, exchange: Exchange) -> None:
    """Of networks made by hand, those without containers."""
    filters = parse_filters(exchange.request.query.get("filters", ""), ("label", "label!", "until"))
    until = parse_moment("until", (filters.get("until") or [""])[0], time.time())
    own = {each.name for each in list_networks(world.context) if each.stack.startswith("network-")}
    gone = []
    for row in _rows(world, with_members=True):
        created = parse_moment("", row["Created"], 0.0) or 0.0
        if row["Name"] not in own or row["Containers"] or not has_labels(filters, row["Labels"]):
            continue
        if until is None or created < until:
            _remove(world, row)
            gone.append(row["Name"])
    exchange.answer({"NetworksDeleted": gone or None})
