"""The ``driver_opts`` of a service's network: names and settings of its interface, by Docker's options."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestra.record import Record
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.compose.nodes import Path

    Refuse = Callable[[Path, str, str], None]

NAME, SYSCTLS = "com.docker.network.endpoint.ifname", "com.docker.network.endpoint.sysctls"
NAME_MAX = 15
"""Characters of an interface's name (IFNAMSIZ is 16, with the final NUL)."""
SETTING = regex(r"net\.(?:ipv4|ipv6|mpls)\.(?:conf|neigh)\.IFNAME\.[a-z0-9_]+")


class EndpointOptions(Record):
    """settings: pairs of a file below /proc/sys, in which IFNAME stands for the interface, and its content."""

    interface_name: str = ""
    settings: tuple[tuple[str, str], ...] = ()


def endpoint_options(options: Mapping[str, str]) -> EndpointOptions:
    """The options that have an effect; ``check_endpoint_options`` reports the others."""
    words = filter(None, options.get(SYSCTLS, "").split(","))
    settings = [(key.strip().replace(".", "/"), value.strip()) for key, _, value in (w.partition("=") for w in words)]
    return EndpointOptions(options.get(NAME, ""), tuple(settings))


def check_endpoint_options(options: Mapping[str, str], interface_name: str, place: Path, refuse: Refuse) -> list[str]:
    """Refuse what cannot be applied. Returns the options that have no effect."""
    given = ((("interface_name",), interface_name), (("driver_opts", NAME), options.get(NAME)))
    for path, name in given:
        if name and not _is_interface_name(name):
            hint = f"use at most {NAME_MAX} characters, without spaces, slashes and colons"
            refuse((*place, *path), f"{name!r} is not a name for an interface", hint)
    for word in filter(None, options.get(SYSCTLS, "").split(",")):
        key, separator, value = word.partition("=")
        if not SETTING.fullmatch(key.strip()) or not separator or not value.strip():
            hint = "write net.ipv4.conf.IFNAME.KEY=VALUE, with IFNAME as it is; several are separated by commas"
            refuse((*place, "driver_opts", SYSCTLS), f"{word!r} is not a setting of an interface", hint)
    return sorted(options.keys() - {NAME, SYSCTLS})


def _is_interface_name(name: str) -> bool:
    """What the kernel takes (dev_valid_name), and is not the loopback interface."""
    return name not in (".", "..", "lo") and len(name.encode()) <= NAME_MAX and not re.search(r"[\s/:%]", name)
