"""The texts of a container's /etc/hosts and /etc/resolv.conf (hosts(5), resolv.conf(5))."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LOCAL_HOSTS = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""
HOST_GATEWAY = "host-gateway"


def host_hosts() -> str:
    return _read("/etc/hosts") or LOCAL_HOSTS


def render_resolv_conf(nameservers: Iterable[str], search: Iterable[str], options: Iterable[str]) -> str:
    """A later option replaces an earlier one with the same key (``ndots:5`` replaces ``ndots:0``).

    The search domain ``.`` means none, as in Compose.
    """
    last = {option.partition(":")[0]: option for option in options}
    lines = [f"nameserver {address}" for address in nameservers]
    if words := " ".join(domain for domain in search if domain != "."):
        lines.append(f"search {words}")
    if last:
        lines.append(f"options {' '.join(last.values())}")
    return "".join(f"{line}\n" for line in lines)


def render_hosts(hostname: str, domainname: str, addresses: Iterable[str], extra: Iterable[tuple[str, str]]) -> str:
    """extra: pairs of name and address. The host name follows each of the container's addresses."""
    names = f"{hostname}.{domainname} {hostname}" if domainname else hostname
    own = "".join(f"{address}\t{names}\n" for address in addresses)
    return LOCAL_HOSTS + render_extra(extra) + own


def with_addresses(text: str, before: Iterable[str], after: Iterable[str], hostname: str) -> str:
    """A hosts file after the container's own addresses have changed; the rest is kept.

    The names are those that followed its addresses before, else the host name.
    """
    own = {f"{address}\t" for address in before}
    lines = text.splitlines(keepends=True)
    found = [line for line in lines if line[: line.find("\t") + 1] in own]
    names = found[0].partition("\t")[2].rstrip("\n") if found else hostname
    rest = "".join(line for line in lines if line not in found)
    missing = "\n" if rest and not rest.endswith("\n") else ""
    return rest + missing + "".join(f"{address}\t{names}\n" for address in after)


def render_extra(extra: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{address}\t{name}\n" for name, address in extra)


def with_host_gateway(extra: Iterable[tuple[str, str]], gateways: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """``host-gateway`` stands for the addresses at which a container reaches the host."""
    return tuple(
        (name, meant) for name, address in extra for meant in (gateways if address == HOST_GATEWAY else (address,))
    )


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""
