"""The texts of a container's /etc/hosts and /etc/resolv.conf (hosts(5), resolv.conf(5))."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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


class ResolvConf(NamedTuple):
    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def parse_resolv_conf(text: str) -> ResolvConf:
    """Later ``search`` and ``domain`` lines replace earlier ones; comments start a line or a word with # or ;."""
    nameservers: list[str] = []
    options: list[str] = []
    search: tuple[str, ...] = ()
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or line[0] in "#;":
            continue
        match words[0]:
            case "nameserver":
                nameservers.append(words[1])
            case "search" | "domain":
                search = tuple(words[1:])
            case "options":
                options += words[1:]
    return ResolvConf(tuple(nameservers), search, tuple(options))


def host_resolv_conf() -> ResolvConf:
    """The host's; empty if it has none."""
    return parse_resolv_conf(_read("/etc/resolv.conf"))


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
