"""The driver options of a network that have an effect: from Docker's names to our values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.errors import FatalError

if TYPE_CHECKING:
    from orchestra.model.desired import NetworkSpec

NAME = "com.docker.network.bridge.name"
MTU = "com.docker.network.driver.mtu"
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"


def check_options(spec: NetworkSpec) -> None:
    """Raises FatalError for an unsupported driver or option."""
    unknown = sorted(set(spec.driver_options) - {NAME, MTU, MASQUERADE})
    if spec.driver != "bridge" or unknown:
        what = f"driver option {unknown[0]}" if unknown else f"driver {spec.driver}"
        raise FatalError(f"network {spec.name}: {what} is not supported", hint="use the bridge driver without it")


def masquerades(spec: NetworkSpec) -> bool:
    """Whether packets that leave the host get the host's address."""
    return spec.driver_options.get(MASQUERADE, "true").lower() != "false"


def parse_mtu(spec: NetworkSpec) -> int:
    """In bytes. Raises FatalError."""
    text = spec.driver_options.get(MTU, "1500")
    if not text.isdecimal() or not 68 <= int(text) <= 65535:
        raise FatalError(f"network {spec.name}: {MTU} {text} is not a number from 68 to 65535")
    return int(text)
