"""Names as one container sees them: a projection of what all stacks publish on the container's networks. Pure."""

from __future__ import annotations

from orchestra.named_tuple import NamedTuple
from orchestra.names.message import pointer_name, wire_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Named(NamedTuple):
    """One container's names on one network. directory: its own, whose files tell how it stands; addresses: packed."""

    container: str
    directory: str
    addresses: tuple[bytes, ...]
    names: tuple[str, ...]


class Standing(NamedTuple):
    """Whether a container runs, and whether its health check, if it has one, has passed."""

    runs: bool = False
    is_well: bool = True


class View(NamedTuple):
    """What a container may ask. servers: its own upstream servers, empty for the host's. links: pairs of a name and
    the container that it leads to, if that is on one of the networks.

    forwards: whether other servers may be asked for unknown names: not from networks that are all internal.
    """

    container: str
    networks: tuple[str, ...] = ()
    forwards: bool = True
    servers: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


class Directory(NamedTuple):
    """What is published, by keys. Each name is also known as ``NAME.NETWORK``. pointers: to the target."""

    names: Mapping[bytes, tuple[Named, ...]]
    pointers: Mapping[bytes, tuple[bytes, Named]]


class Addresses(NamedTuple):
    """Of the containers that have a name. first: of those that are well, unless none is; later: of the others."""

    first: tuple[bytes, ...] = ()
    later: tuple[bytes, ...] = ()


def directory_of(published: Iterable[tuple[str, Named]]) -> Directory:
    """The directory of (network, a container's names on it)."""
    names: dict[bytes, list[Named]] = {}
    pointers: dict[bytes, tuple[bytes, Named]] = {}
    for network, entry in published:
        for name in entry.names:
            for key in dict.fromkeys((wire_name(name), wire_name(f"{name}.{network}"))):
                if key is not None:
                    names.setdefault(key, []).append(entry)
        target = wire_name(f"{entry.container}.{network}")
        if target is not None:
            pointers.update((pointer_name(address), (target, entry)) for address in entry.addresses)
    return Directory({key: tuple(entries) for key, entries in names.items()}, pointers)


class Zone:
    """The names that a container may look up. standing: of the container with this directory."""

    def __init__(self, view: View, directory: Directory, standing: Callable[[str], Standing]) -> None:
        self._own = view.container
        self._directory = directory
        self._standing = standing
        self._links = {wire_name(name): wire_name(container) for name, container in view.links}

    def addresses(self, name: bytes) -> Addresses | None:
        """None for a name that no container has; none if all that have it are stopped: then it does not exist."""
        entries = self._directory.names.get(self._links.get(name) or name)
        if entries is None:
            return Addresses() if name in self._links else None
        well: list[bytes] = []
        others: list[bytes] = []
        for entry in entries:
            stands = Standing(runs=True) if entry.container == self._own else self._standing(entry.directory)
            if stands.runs:
                (well if stands.is_well else others).extend(entry.addresses)
        first, later = tuple(dict.fromkeys(well)), tuple(dict.fromkeys(others))
        return Addresses(first, later) if first else Addresses(later)

    def pointer(self, name: bytes) -> bytes | None:
        """The target of a name below in-addr.arpa or ip6.arpa; None for an address that no container has.

        Empty if the container is stopped.
        """
        found = self._directory.pointers.get(name)
        if found is None:
            return None
        target, entry = found
        return target if entry.container == self._own or self._standing(entry.directory).runs else b""

    def has(self, name: bytes) -> bool:
        return name in self._directory.names or name in self._links
