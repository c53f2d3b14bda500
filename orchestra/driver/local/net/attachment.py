"""How one container is attached: every projection (rules, names, hosts file) is computed from this value.

It is kept as ``network.json`` in the container's directory, and is the only record of an attachment.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping  # noqa: TC003 - the same
from typing import TYPE_CHECKING

from orchestra.container.directory import ContainerDirectory, DamagedFile
from orchestra.linux import private_files
from orchestra.model.codec import decode, encode
from orchestra.model.container import Port  # noqa: TC001 - read at run time by the codec
from orchestra.record import Record

if TYPE_CHECKING:
    from orchestra.home import StackHome

FILE = "network.json"
LINK_LOCAL_PREFIXES = (16, 64)
"""Of IPv4 and of IPv6 (RFC 3927, RFC 4291 section 2.5.6)."""


class Interface(Record):
    """One interface of a container, ``device`` in its namespace. names: what it is called on the network.

    address, ipv6_address: '' without that family, likewise their gateways if there is no way out. publishes,
    publishes_ipv6: whether published ports of the family lead here, and the default route leads out by it.
    link_local_addresses: further addresses of 169.254.0.0/16 and fe80::/64. settings: pairs of a file below /proc/sys
    and its content. priority and gateway_priority: see ``Endpoint``. config_hash: of the endpoint, or BY_HAND; empty
    until it is made completely, and as soon as it is being removed.
    """

    network: str
    device: str
    address: str
    prefix: int
    gateway: str
    mac_address: str
    names: tuple[str, ...] = ()
    publishes: bool = False
    link_local_addresses: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    ipv6_address: str = ""
    ipv6_prefix: int = 0
    ipv6_gateway: str = ""
    publishes_ipv6: bool = False
    priority: int = 0
    gateway_priority: int = 0
    config_hash: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its own on the network, one of each family that it has; IPv4 first."""
        return tuple(filter(None, (self.address, self.ipv6_address)))

    @property
    def all_addresses(self) -> tuple[tuple[str, int], ...]:
        """Every address that it must have, with the length of its prefix."""
        own = ((self.address, self.prefix), (self.ipv6_address, self.ipv6_prefix))
        further = ((address, LINK_LOCAL_PREFIXES[":" in address]) for address in self.link_local_addresses)
        return (*(pair for pair in own if pair[0]), *further)

    @property
    def default_gateways(self) -> tuple[str, ...]:
        """Those that the container's default routes lead to."""
        pairs = ((self.publishes, self.gateway), (self.publishes_ipv6, self.ipv6_gateway))
        return tuple(gateway for publishes, gateway in pairs if publishes)

    @property
    def published_addresses(self) -> tuple[str, ...]:
        """Those that published ports lead to."""
        pairs = ((self.publishes, self.address), (self.publishes_ipv6, self.ipv6_address))
        return tuple(address for publishes, address in pairs if publishes)


class Attachment(Record):
    """A container's part in networks.

    namespace_path: the network namespace to join, None for the host's. interfaces: its own, so none if it shares a
    namespace. ports: as published, with host ports chosen. nameservers: the container's own upstream servers, empty for
    the host's. links: pairs of a name and the container of another stack that it leads to. resolv_conf and hosts: the
    texts of these two files in /etc. names: what it is called on every network; none if it has no networks of its own.
    left: by network that it was disconnected from by hand, when (Unix time). former: addresses that hosts files may
    still hold while an interface is incomplete. drained_at: since when others have its names and ports (Unix time), 0
    if it has them.
    """

    stack: str
    service: str
    container: str
    container_id: str
    hostname: str
    namespace_path: str | None = None
    interfaces: tuple[Interface, ...] = ()
    ports: tuple[Port, ...] = ()
    nameservers: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    resolv_conf: str = ""
    hosts: str = ""
    names: tuple[str, ...] = ()
    left: Mapping[str, float] = {}
    former: tuple[str, ...] = ()
    drained_at: float = 0.0

    @property
    def addresses(self) -> Mapping[str, str]:
        """Network name to the address there, IPv4 if it has one."""
        return {interface.network: interface.addresses[0] for interface in self.interfaces}

    @property
    def by_network(self) -> Mapping[str, tuple[str, ...]]:
        """Network name to the addresses there, of both families."""
        return {interface.network: interface.addresses for interface in self.interfaces}

    @property
    def families(self) -> tuple[bool, bool]:
        """Whether ports can be published from an address of IPv4, and of IPv6."""
        interfaces = self.interfaces
        return any(each.publishes for each in interfaces), any(each.publishes_ipv6 for each in interfaces)


class Attached(Record):
    """An attachment with the directory it was read from, by which it is compared.

    published: by network, what is made of it for others to read: see ``projection``.
    """

    directory: str
    attachment: Attachment
    published: dict[str, str]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Attached) and self.directory == other.directory

    def __hash__(self) -> int:
        return hash(self.directory)


_known: dict[str, tuple[tuple[int, ...], Attached]] = {}
"""By directory: what was read last, with what told this file from every other."""


def load(directory: str) -> Attachment | None:
    """The attachment of the container of this directory; None if it has none. Raises DamagedFile."""
    found = _load(directory)
    return None if found is None else found.attachment


def _load(directory: str) -> Attached | None:
    """Every projection reads all attachments: a file that has not changed is not read again."""
    files = ContainerDirectory(directory)
    try:
        identity = _identify(directory)
        known = _known.get(directory)
        if known is not None and known[0] == identity:
            return known[1]
        attached = Attached(directory, decode(Attachment, files.load(FILE)), {})
        if _identify(directory) == identity:
            _known[directory] = identity, attached
    except (FileNotFoundError, NotADirectoryError):
        _known.pop(directory, None)
        return None
    except ValueError as error:
        raise DamagedFile(files.file(FILE), str(error)) from error
    return attached


def _identify(directory: str) -> tuple[int, ...]:
    found = os.stat(f"{directory}/{FILE}")
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def store(directory: str, attachment: Attachment) -> None:
    private_files.make_directories(directory)
    private_files.store(f"{directory}/{FILE}", json.dumps(encode(attachment)).encode())
    # The clock of files is coarse, and the number of one that was replaced is given out again.
    _known.pop(directory, None)


def remove(directory: str) -> None:
    _known.pop(directory, None)
    try:
        os.unlink(f"{directory}/{FILE}")
    except FileNotFoundError:
        return


def load_all(stack: StackHome) -> tuple[Attached, ...]:
    """Every attachment of a stack, sorted by container; damaged ones are skipped."""
    try:
        names = sorted(os.listdir(stack.containers))
    except FileNotFoundError:
        return ()
    found: list[Attached] = []
    for directory in map(stack.container, names):
        with contextlib.suppress(DamagedFile):
            attached = _load(directory)
            if attached is not None:
                found.append(attached)
    return tuple(found)
