"""The driver options of a network that have an effect: from Docker's names to our values."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from orchestra.driver.local.net.ipam import GatewayMode
from orchestra.driver.local.net.parent import Parent
from orchestra.errors import FatalError
from orchestra.model.network_driver import FLAG, PARENT, NetworkDriver, mode_option, words_of

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
    """Raises FatalError for an unsupported option or value."""
    known = KNOWN if spec.driver is NetworkDriver.BRIDGE else {PARENT, MTU, INTERFACE_PREFIX, *words_of(spec.driver)}
    unknown = sorted(spec.driver_options.keys() - known)
    if unknown:
        hint = f"the driver {spec.driver} has {', '.join(sorted(known))}"
        raise FatalError(f"network {spec.name}: driver option {unknown[0]} is not supported", hint=hint)
    masquerades(spec), connects_containers(spec), parse_mtu(spec), source_address(spec), interface_prefix(spec)
    gateway_mode_ipv6(spec)


def parse_parent(spec: NetworkSpec, own: str) -> Parent | None:
    """What the network has instead of a bridge. own: the name of a parent of its own. Raises FatalError."""
    if spec.driver is NetworkDriver.BRIDGE:
        return None
    words: dict[str, str] = {}
    for option, allowed in words_of(spec.driver).items():
        words[option] = spec.driver_options.get(option) or allowed[0]
        if words[option] not in allowed:
            raise _refused(spec, option, f"is none of {', '.join(allowed)}")
    name = spec.driver_options.get(PARENT, "")
    if name == "lo":
        raise _refused(spec, PARENT, "is the loopback interface, which leads to no network")
    return Parent(
        driver=spec.driver,
        interface=name or own,
        mode=words[mode_option(spec.driver)],
        flag=words.get(FLAG, "bridge"),
        mtu=parse_mtu(spec) if MTU in spec.driver_options else 0,
        is_own=not name,
    )


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
