"""Which proxy leads to a registry: http_proxy, all_proxy and no_proxy as in curl(1), section ENVIRONMENT."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def find_proxy(scheme: str, host: str, environment: Mapping[str, str]) -> str | None:
    """The URL of a proxy, or None to go there directly. host: a name or an address, with or without its port.

    Variables in lower case take precedence.
    """
    variables = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY")
    proxy = next((environment[name] for name in variables if environment.get(name)), None)
    exempt = environment.get("no_proxy") or environment.get("NO_PROXY", "")
    if proxy is None or any(_covers(entry.strip().lower(), host.lower()) for entry in exempt.split(",")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _covers(entry: str, host: str) -> bool:
    """Whether an entry of no_proxy covers the host: ``*``, a domain and all below it, an address or a network."""
    name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    domain = entry.removeprefix(".")
    if not domain:
        return False
    if domain in ("*", host, name) or name.endswith(f".{domain}"):
        return True
    try:
        return ip_address(name) in ip_network(domain.strip("[]"), strict=False)
    except ValueError:
        return False
