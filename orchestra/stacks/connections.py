"""``network connect`` and ``disconnect``: a container of any stack, and a network of the home."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from orchestra.errors import UserError
from orchestra.model.request import ConnectRequest, DisconnectRequest
from orchestra.model.result import ConnectResult, DisconnectResult
from orchestra.record import Record
from orchestra.stacks.containers import look_at_containers
from orchestra.stacks.find import find_one
from orchestra.stacks.host_networks import find_network
from orchestra.stacks.ls import find_stacks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.compose.endpoint_options import EndpointOptions
    from orchestra.model.host_network import HostNetwork
    from orchestra.stacks.context import Context


class ConnectOptions(Record):
    """network, container: a name or the beginning of an ID. driver_options: KEY=VALUE. The rest: see ``Endpoint``."""

    network: str
    container: str
    aliases: tuple[str, ...] = ()
    ipv4_address: str = ""
    link_local_addresses: tuple[str, ...] = ()
    gateway_priority: int = 0
    ipv6_address: str = ""
    driver_options: tuple[str, ...] = ()


def connect(context: Context, options: ConnectOptions) -> None:
    """Raises UserError if there is no such container or network, or the container is connected already."""
    context.need_privileges()
    chosen = _parse_options(options.driver_options)
    found = find_network(context, options.network)
    _check_link_local(options.link_local_addresses, found)
    network = found.name
    stack, container, networks = _find_container(context, options.container)
    if network in networks:
        raise UserError(f"container {container} is connected to network {network} already")
    request = ConnectRequest(
        container,
        network,
        options.aliases,
        options.ipv4_address,
        options.link_local_addresses,
        options.gateway_priority,
        options.ipv6_address and _usual_spelling(options.ipv6_address),
        chosen.interface_name,
        chosen.settings,
    )
    context.client(stack).ask(ConnectResult, request)


def disconnect(context: Context, network: str, container: str) -> None:
    """Raises UserError if there is no such container or network, or the container is not connected."""
    context.need_privileges()
    found = find_network(context, network).name
    stack, name, networks = _find_container(context, container)
    if found not in networks:
        raise UserError(f"container {name} is not connected to network {found}")
    context.client(stack).ask(DisconnectResult, DisconnectRequest(name, found))


def _find_container(context: Context, word: str) -> tuple[str, str, Sequence[str]]:
    """The stack, name and networks of the container with that name, or whose ID begins so. Raises UserError."""
    found = [(stack, row) for stack in find_stacks(context.home) for row in look_at_containers(context, stack)]
    chosen = find_one([row for _, row in found], word, "container")
    stack = next(stack for stack, row in found if row is chosen)
    return stack, chosen.name, chosen.networks


def _parse_options(words: Sequence[str]) -> EndpointOptions:
    """Raises UserError for what has no effect, as a file has it reported."""
    from orchestra.compose.endpoint_options import NAME, SYSCTLS, check_endpoint_options, endpoint_options

    def refuse(_: object, message: str, hint: str) -> None:
        raise UserError(message, hint=hint)

    pairs = [word.partition("=") for word in words]
    options = {key: value for key, _, value in pairs}
    if unknown := check_endpoint_options(options, "", (), refuse):
        raise UserError(f"unknown driver option {unknown[0]}", hint=f"--driver-opt takes {NAME} and {SYSCTLS}")
    return endpoint_options(options)


def _check_link_local(addresses: Sequence[str], network: HostNetwork) -> None:
    for text in addresses:
        hint = "--link-local-ip takes an address of 169.254.0.0/16 or fe80::/64"
        try:
            address = ip_address(text)
        except ValueError:
            raise UserError(f"{text} is not an IP address", hint=hint) from None
        if not address.is_link_local:
            raise UserError(f"{text} is not a link-local address", hint=hint)
        if not network.has_ip(address.version):
            raise UserError(f"network {network.name} has no IPv{address.version} for {text}")


def _usual_spelling(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError:
        raise UserError(f"{text} is not an IPv6 address") from None
