"""The short syntaxes of ports, volumes, devices and hosts: one line of text to the long form. Pure.

Each function raises ValueError with a message for the user. Results are plain dictionaries of strings, numbers and
booleans with the keys of the long form.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from orchestra.regex import regex
from orchestra.units import parse_port_range

PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
PROTOCOLS = frozenset({"tcp", "udp", "sctp"})
_CDI = regex(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*=[\w.:-]+")


def parse_port(text: str) -> list[dict[str, Any]]:
    """``[[IP:]HOST:]CONTAINER[/PROTOCOL]`` with ranges; ranges of equal length become one entry per port."""
    rest, slash, protocol = text.partition("/")
    protocol = protocol.lower()
    if slash and protocol not in PROTOCOLS:
        raise ValueError(f"unknown protocol {protocol!r}: use tcp, udp or sctp")
    head, _, container_text = rest.rpartition(":")
    host_ip, _, published_text = head.rpartition(":")
    if not container_text:
        raise ValueError("the container port is missing")
    target = parse_port_range(container_text)
    if host_ip:
        host_ip = host_ip.removeprefix("[").removesuffix("]")
        try:
            ipaddress.ip_address(host_ip)
        except ValueError:
            raise ValueError(f"{host_ip!r} is not an IP address") from None
    published = parse_port_range(published_text) if published_text else None
    entry: dict[str, Any] = {"mode": "ingress", "protocol": protocol or "tcp"}
    if host_ip:
        entry["host_ip"] = host_ip
    if published is None:
        return [{**entry, "target": port} for port in range(target.first, target.last + 1)]
    if len(target) == 1:
        return [{**entry, "target": target.first, "published": str(published)}]
    if len(target) != len(published):
        raise ValueError(f"the port ranges {published} and {target} differ in length")
    return [{**entry, "target": target.first + i, "published": str(published.first + i)} for i in range(len(target))]


def is_host_path(source: str) -> bool:
    """Whether the source of a short volume is a path rather than the name of a volume."""
    return source[:1] in (".", "/", "~") or source.startswith("\\\\") or _is_drive(source)


def _is_drive(text: str) -> bool:
    return len(text) > 1 and text[0].isalpha() and text[0].isascii() and text[1] == ":"


def parse_volume(text: str) -> dict[str, Any]:
    """``[SOURCE:]TARGET[:OPTIONS]``; a source that begins with ``.``, ``/`` or ``~`` is a host path."""
    if not text:
        raise ValueError("the volume is empty")
    if len(text) <= 2:
        return {"type": "volume", "target": text, "volume": {}}
    fields = _split_volume(text)
    if not all(fields):
        raise ValueError("there is an empty part between colons")
    if len(fields) > 3:
        raise ValueError("there are too many colons")
    if len(fields) == 1:
        return {"type": "volume", "target": fields[0], "volume": {}}
    source, target = fields[:2]
    is_bind = is_host_path(source)
    volume: dict[str, Any] = {"type": "bind" if is_bind else "volume", "source": source, "target": target}
    bind: dict[str, Any] = {}
    inner: dict[str, Any] = {}
    for option in fields[2].split(",") if len(fields) == 3 else ():
        if option == "ro":
            volume["read_only"] = True
        elif option == "nocopy":
            inner["nocopy"] = True
        elif option in ("z", "Z"):
            bind["selinux"] = option
        elif option in PROPAGATIONS:
            bind["propagation"] = option
        elif option.startswith("volume-subpath="):
            inner["subpath"] = option.partition("=")[2]
    if is_bind:
        bind["create_host_path"] = True
    if bind:
        volume["bind"] = bind
    if inner or not is_bind:
        volume["volume"] = inner
    return volume


def _split_volume(text: str) -> list[str]:
    """Split at the colons, except after a single letter, which Docker takes for a Windows drive."""
    fields: list[str] = []
    current = ""
    for character in text:
        if character == ":" and not (len(current) == 1 and current.isalpha() and current.isascii()):
            fields.append(current)
            current = ""
        else:
            current += character
    return [*fields, current]


def parse_device(text: str) -> dict[str, Any]:
    """``HOST[:CONTAINER[:PERMISSIONS]]``, or the name of a CDI device."""
    if _CDI.fullmatch(text):
        return {"source": text, "target": text, "permissions": "rwm"}
    fields = text.split(":")
    if len(fields) > 3 or not fields[0]:
        raise ValueError(f"{text!r} is not HOST[:CONTAINER[:PERMISSIONS]]")
    return {
        "source": fields[0],
        "target": fields[1] if len(fields) > 1 else fields[0],
        "permissions": fields[2] if len(fields) > 2 else "rwm",
    }


def parse_host(text: str) -> tuple[str, tuple[str, ...]]:
    """``HOST=ADDRESS[,ADDRESS]`` or ``HOST:ADDRESS``; an address may be in brackets."""
    separator = "=" if "=" in text else ":"
    host, found, address = text.partition(separator)
    if not host or not found or not address:
        raise ValueError(f"{text!r} is not HOST=ADDRESS")
    return host, tuple(item.removeprefix("[").removesuffix("]") for item in address.split(","))
