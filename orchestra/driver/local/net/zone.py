"""Names as one container sees them: a projection of what all stacks publish on the container's networks."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestra.driver.local.net import projection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.driver.local.net.projection import Named
    from orchestra.home import Home


@dataclass(frozen=True, slots=True)
class Zone:
    """What a container may learn.

    addresses: lower-case name to the addresses of its running containers; a name whose containers are all stopped has
    none, and does not exist for anybody else either. pointers: address to name. forwards: whether names that are not
    here may be asked of other servers: not from networks that are all internal.
    """

    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pointers: Mapping[str, str] = field(default_factory=dict)
    forwards: bool = True


def zone_of(named: Iterable[tuple[str, Named, bool]], *, forwards: bool) -> Zone:
    """The zone of (network, container's names on it, whether it runs), one for each container on each network.

    Each name is also known as ``NAME.NETWORK``, which tells networks apart.
    """
    addresses: dict[str, dict[str, None]] = {}
    pointers: dict[str, str] = {}
    for network, entry, runs in named:
        for name in entry.names:
            for known in (name.lower(), f"{name}.{network}".lower()):
                held = addresses.setdefault(known, {})
                if runs:
                    held[entry.address] = None
        if runs:
            pointers[entry.address] = f"{entry.container}.{network}"
    return Zone({name: tuple(held) for name, held in addresses.items()}, pointers, forwards)


def is_running(directory: str) -> bool:
    """Whether the container of this directory has begun a run and not ended it, by the files its shim writes."""
    return os.path.exists(f"{directory}/state.json") and not os.path.exists(f"{directory}/exit.json")


class PublishedNames:
    """The published names of a home, read again when a file has changed. For several threads: it only swaps values."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._files: dict[str, tuple[tuple[int, int], tuple[Named, ...]]] = {}

    def zone(self, attachment: Attachment) -> Zone:
        """What this container sees now."""
        named: list[tuple[str, Named, bool]] = []
        for interface in attachment.interfaces:
            for entry in self._on(interface.network):
                runs = is_running(entry.directory) or entry.container == attachment.container
                named.append((interface.network, entry, runs))
        return zone_of(named, forwards=any(interface.gateway for interface in attachment.interfaces))

    def _on(self, network: str) -> list[Named]:
        folder = projection.names_folder(self._home, network)
        try:
            files = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
        except FileNotFoundError:
            return []
        return [entry for name in files for entry in self._load(f"{folder}/{name}")]

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
