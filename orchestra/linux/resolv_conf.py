"""The machine's resolv.conf(5)."""

from __future__ import annotations

from orchestra.linux import whole_files
from orchestra.named_tuple import NamedTuple

PATH = "/etc/resolv.conf"


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


def load_resolv_conf(path: str = PATH) -> ResolvConf:
    """Empty if there is none."""
    try:
        return parse_resolv_conf(whole_files.read(path).decode(errors="replace"))
    except FileNotFoundError:
        return ResolvConf()
