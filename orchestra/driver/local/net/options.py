"""The driver options of a network that have an effect: from Docker's names to our values."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from orchestra.driver.local.net.ipam import GatewayMode
from orchestra.errors import FatalError

if TYPE_CHECKING:
    from orchestra.model.desired import NetworkSpec

NAME = "com.docker.network.bridge.name"
MTU = "com.docker.network.driver.mtu"
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"
SOURCE = "com.docker.network.host_ipv4"
BETWEEN_CONTAINERS = "com.docker.network.bridge.enable_icc"
BIND = "com.docker.network.bridge.host_binding_ipv4"
INTERFACE_PREFIX = "com.docker.network.container_iface_prefix"
GATEWAY_MODE_IPV6 = "com.docker.network.bridge.gateway_mode_ipv6"
KNOWN = frozenset({NAME, MTU, MASQUERADE, SOURCE, BETWEEN_CONTAINERS, BIND, INTERFACE_PREFIX, GATEWAY_MODE_IPV6})
TRUE, FALSE = frozenset({"1", "t", "true"}), frozenset({"0", "f", "false"})
PREFIX_MAX = 10
"""An interface's name has at most 15 characters, the last of which are a number."""


def check_options(spec: NetworkSpec) -> None:
    """Raises FatalError for an unsupported driver, option or value."""
    unknown = sorted(set(spec.driver_options) - KNOWN)
    if spec.driver != "bridge" or unknown:
        what = f"driver option {unknown[0]}" if unknown else f"driver {spec.driver}"
        raise FatalError(f"network {spec.name}: {what} is not supported", hint="use the bridge driver without it")
    masquerades(spec), connects_containers(spec), parse_mtu(spec), source_address(spec), interface_prefix(spec)
    gateway_mode_ipv6(spec)


def masquerades(spec: NetworkSpec) -> bool:
    """Whether packets that leave the host get an address of the host. Raises FatalError."""
    return _parse_boolean(spec, MASQUERADE)


def connects_containers(spec: NetworkSpec) -> bool:
    """Whether the network's containers reach each other. Raises FatalError."""
    return _parse_boolean(spec, BETWEEN_CONTAINERS)


def source_address(spec: NetworkSpec) -> str:
    """The host's address that packets get; '' for that of the interface by which they leave. Raises FatalError."""
    text = spec.driver_options.get(SOURCE, "")
    try:
        return str(IPv4Address(text)) if text else ""
    except ValueError:
        raise _refused(spec, SOURCE, "is not an IPv4 address") from None


def gateway_mode_ipv6(spec: NetworkSpec) -> GatewayMode:
    """Raises FatalError."""
    text = spec.driver_options.get(GATEWAY_MODE_IPV6, GatewayMode.NAT)
    if text not in list(GatewayMode):
        raise _refused(spec, GATEWAY_MODE_IPV6, f"is none of {', '.join(GatewayMode)}")
    return GatewayMode(text)


def interface_prefix(spec: NetworkSpec) -> str:
    """What the names of containers' interfaces begin with. Raises FatalError."""
    text = spec.driver_options.get(INTERFACE_PREFIX) or "eth"
    if not text.isalnum() or not text.isascii() or len(text) > PREFIX_MAX:
        raise _refused(spec, INTERFACE_PREFIX, f"is not made of at most {PREFIX_MAX} letters and digits")
    return text


def parse_mtu(spec: NetworkSpec) -> int:
    """In bytes. Raises FatalError."""
    text = spec.driver_options.get(MTU, "1500")
    if not text.isdecimal() or not 68 <= int(text) <= 65535:
        raise _refused(spec, MTU, "is not a number from 68 to 65535")
    return int(text)


def _parse_boolean(spec: NetworkSpec, option: str) -> bool:
    text = spec.driver_options.get(option, "true").lower()
    if text not in TRUE | FALSE:
        raise _refused(spec, option, "is neither true nor false")
    return text in TRUE


def _refused(spec: NetworkSpec, option: str, why: str) -> FatalError:
    return FatalError(f"network {spec.name}: {option} {spec.driver_options[option]} {why}")
