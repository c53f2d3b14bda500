"""Names as one container sees them: a projection of what all stacks publish on the container's networks."""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from orchestra.driver.local.net import projection
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.driver.local.net.projection import Named
    from orchestra.home import Home


class Zone(Record):
    """The names that a container may look up.

    addresses: lower-case name to the addresses of its running containers, of both families; a name whose containers are
    all stopped has none, and does not resolve for anyone. pointers: address to name. forwards: whether other servers
    may be asked for unknown names: not from networks that are all internal.
    """

    addresses: Mapping[str, tuple[str, ...]] = {}
    pointers: Mapping[str, str] = {}
    forwards: bool = True


class Directory(NamedTuple):
    """What is published, by name and by address. Each name is also known as ``NAME.NETWORK``."""

    names: Mapping[str, tuple[Named, ...]]
    pointers: Mapping[str, tuple[str, Named]]


def directory_of(named: Iterable[tuple[str, Named]]) -> Directory:
    """The directory of (network, a container's names on it)."""
    names: dict[str, list[Named]] = {}
    pointers: dict[str, tuple[str, Named]] = {}
    for network, entry in named:
        for name in entry.names:
            for known in dict.fromkeys((name.lower(), f"{name}.{network}".lower())):
                names.setdefault(known, []).append(entry)
        for address in entry.addresses:
            pointers[address] = (f"{entry.container}.{network}", entry)
    return Directory({name: tuple(entries) for name, entries in names.items()}, pointers)


def zone_of(
    directory: Directory, runs: Callable[[Named], bool], *, forwards: bool, links: Iterable[tuple[str, str]] = ()
) -> Zone:
    """The zone of the running containers. ``runs`` is asked about a container only if a question needs it.

    links: further names, and the containers that they lead to if those are on the same networks.
    """
    linked = {name.lower(): directory.names.get(container.lower(), ()) for name, container in links}
    names = ChainMap(linked, dict(directory.names)) if linked else directory.names
    return Zone(_Addresses(names, runs), _Pointers(directory.pointers, runs), forwards)


class _Addresses(Mapping[str, tuple[str, ...]]):
    def __init__(self, names: Mapping[str, tuple[Named, ...]], runs: Callable[[Named], bool]) -> None:
        self._names = names
        self._runs = runs

    def __getitem__(self, name: str) -> tuple[str, ...]:
        running = (entry for entry in self._names[name] if self._runs(entry))
        return tuple(dict.fromkeys(address for entry in running for address in entry.addresses))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Pointers(Mapping[str, str]):
    def __init__(self, pointers: Mapping[str, tuple[str, Named]], runs: Callable[[Named], bool]) -> None:
        self._pointers = pointers
        self._runs = runs

    def __getitem__(self, address: str) -> str:
        name, entry = self._pointers[address]
        if not self._runs(entry):
            raise KeyError(address)
        return name

    def __iter__(self) -> Iterator[str]:
        return (address for address in self._pointers if address in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def is_running(directory: str) -> bool:
    """Whether the container of this directory is in a run, according to the files of its shim."""
    return os.path.exists(f"{directory}/state.json") and not os.path.exists(f"{directory}/exit.json")


class PublishedNames:
    """The published names of a home, read again if a file has changed. Thread-safe: it only swaps values."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._files: dict[str, tuple[tuple[int, int], tuple[Named, ...]]] = {}
        self._directories: dict[tuple[str, ...], tuple[list[tuple[Named, ...]], Directory]] = {}

    def zone(self, attachment: Attachment) -> Zone:
        """What this container sees now."""
        networks = tuple(interface.network for interface in attachment.interfaces)
        published = [(network, entries) for network in networks for entries in self._on(network)]
        files = [entries for _, entries in published]
        known = self._directories.get(networks)
        # By identity: files that have not been read again are the same objects.
        if known is None or list(map(id, known[0])) != list(map(id, files)):
            made = directory_of((network, entry) for network, entries in published for entry in entries)
            known = self._directories[networks] = (files, made)
        own = attachment.container
        return zone_of(
            known[1],
            lambda entry: entry.container == own or is_running(entry.directory),
            forwards=any(interface.gateway or interface.ipv6_gateway for interface in attachment.interfaces),
            links=attachment.links,
        )

    def _on(self, network: str) -> list[tuple[Named, ...]]:
        folder = projection.names_folder(self._home, network)
        try:
            files = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
        except FileNotFoundError:
            return []
        return [self._load(f"{folder}/{name}") for name in files]

    def _load(self, path: str) -> tuple[Named, ...]:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return ()
        version = (status.st_mtime_ns, status.st_ino)
        known = self._files.get(path)
        if known is None or known[0] != version:
            known = self._files[path] = (version, projection.load_names(path))
        return known[1]
