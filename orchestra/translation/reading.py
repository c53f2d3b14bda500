"""What all engines read of a service in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.nodes import Path  # noqa: TC001 - the hints of a named tuple are evaluated
from orchestra.compose.tmpfs import parse_tmpfs_options, size_in_bytes
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestra.translation.ledger import Given

Link = tuple[tuple[str | int, ...], str]
"""Where a link stands, and the alias that it gives to the linked service, empty for none."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_ANYWHERE = frozenset({None, "", "0.0.0.0", "::"})


def image_name(key: str, service: Given, stack: str, built: str) -> str:
    """built: what is to be said of an image that is built, since it has to be in a registry."""
    if service.peek("build") is not None:
        service.approximate("build", built, "orchestra build --push")
    name: str | None = service.take("image")
    return name or f"{stack}-{key}"


def set_variables(environment: Mapping[str, str | None] | None) -> dict[str, str]:
    """Those that have a value: one without is not set."""
    return {name: value for name, value in (environment or {}).items() if value is not None}


def links(services: Mapping[str, Given]) -> dict[str, list[Link]]:
    """By linked service. A name is found by all in a cluster, not only by the linking service."""
    found: dict[str, list[Link]] = {}
    for service in services.values():
        for index, text in enumerate(service.peek("links")):
            name, _, alias = text.partition(":")
            found.setdefault(name, []).append(((*service.path, "links", index), alias))
    return found


def is_for_others(port: Given) -> bool:
    """Whether others than the host itself reach it."""
    return port.peek("host_ip") not in _LOOPBACK


def has_address(port: Given) -> bool:
    """Whether it is published at one address of the host, and not at all of them."""
    return port.peek("host_ip") not in _ANYWHERE


def published_number(port: Given, among: str) -> int | None:
    """The port on the host; None for any. Of several the first. among: what is to be said of the choice then."""
    published: str | None = port.peek("published")
    if not published:
        return None
    if not published.isdecimal():
        port.approximate("published", among)
    return int(published.partition("-")[0])


class Tmpfs(NamedTuple):
    """One of ``tmpfs:``. path: its place in the file. size: in bytes. others: options that say something else."""

    path: Path
    target: str
    size: int | None
    mode: int | None
    others: tuple[str, ...]


def read_tmpfs(service: Given) -> Iterator[Tmpfs]:
    for index, text in enumerate(service.peek("tmpfs")):
        path = (*service.path, "tmpfs", index)
        service.ledger.use(path)
        target, _, options = text.partition(":")
        parsed = parse_tmpfs_options(options)
        size, mode, others = None, None, ["ro"] if parsed.read_only else []
        for word in parsed.words:
            key, _, value = word.partition("=")
            if key == "size" and (known := size_in_bytes(value)) is not None:
                size = known
            elif key == "mode":
                mode = int(value, 8)
            elif word not in ("nosuid", "nodev"):
                others.append(word)
        yield Tmpfs(path, target, size, mode, tuple(others))
