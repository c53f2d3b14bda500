"""The leases of a home in one locked file, which can be restored from other sources.

The file is a journal: the first line tells it from an earlier one, the second holds all leases, and each further line
an address that was given out or returned. So an address costs one line, however many there are. A process remembers
what it has read, and reads on from there.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import threading
from errno import ENOSPC
from typing import TYPE_CHECKING

from orchestra.driver.local.net.failure import kernel_errors
from orchestra.driver.local.net.ipam import Leases
from orchestra.linux import private_files, whole_files
from orchestra.model.codec import decode, encode
from orchestra.named_tuple import NamedTuple
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from orchestra.driver.local.net.ipam import NetworkLease
    from orchestra.home import Home

LINES_MIN = 64
LINES_FOR_ADDRESS = 4
"""The file is written anew when it has more lines than this for each address, and more than LINES_MIN."""

Change = list[str]
"""[network, container, address, the pool's last address], or only the first two for addresses that are returned.

A container of a network with IPv6 has two more: the address of that family, and its pool's last. Of a family that the
network does not have, both are ''.
"""


class LeaseFile:
    """The leases while the lock is held: assign ``leases`` to change them.

    They are stored at the end, or earlier if something must not be done before.
    """

    def __init__(self, home: Home, stored: _Known | None) -> None:
        self._home = home
        self._stored = stored
        self.leases = stored.leases if stored is not None else _find(home)

    def store(self) -> None:
        """Raises OSError."""
        self._stored = _store(self._home, self._stored, self.leases)
        with _reading:
            _known[_path(self._home)] = self._stored


class _Known(NamedTuple):
    """The content of a journal up to ``offset``. title: its first line. torn: whether an incomplete line follows."""

    title: bytes
    offset: int
    lines: int
    leases: Leases
    torn: bool = False


_known: dict[str, _Known] = {}
_reading = threading.Lock()


@contextlib.contextmanager
def locked(home: Home) -> Iterator[LeaseFile]:
    """Hold the home's network lock; at the end ``leases`` is stored unless an exception passes through."""
    try:
        descriptor = _open_lock(home)
    except FileNotFoundError:
        private_files.make_directories(home.networks)
        descriptor = _open_lock(home)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        stored, damage = _read(home)
        if stored is not None and stored.torn:
            stored, damage = None, f"{_path(home)} ends in the middle of a line"
        if damage:
            print(f"{damage}: rebuilt from the existing networks and containers", file=sys.stderr, flush=True)
        file = LeaseFile(home, stored)
        yield file
        file.store()
    finally:
        os.close(descriptor)


def _open_lock(home: Home) -> int:
    return os.open(f"{home.networks}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def load(home: Home) -> Leases:
    """The leases as they are now, read-only. If the file cannot be read, they are found from other sources."""
    stored, _ = _read(home)
    return stored.leases if stored is not None else _find(home)


def _read(home: Home) -> tuple[_Known | None, str]:
    """None if there is no file, or it is damaged; then with a description of the damage."""
    path = _path(home)
    with _reading:
        before = _known.pop(path, None)
        try:
            _known[path] = _read_on(path, before)
        except FileNotFoundError:
            return None, ""
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            return None, f"{path} cannot be read: {error}"
        return _known[path], ""


def _read_on(path: str, known: _Known | None) -> _Known:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if known is None or os.pread(descriptor, len(known.title), 0) != known.title:
            known = _begin(whole_files.read_from(descriptor, 0))
        last, data = (rest := whole_files.read_from(descriptor, known.offset - 1))[:1], rest[1:]
    finally:
        os.close(descriptor)
    if last != b"\n":
        raise ValueError("it was cut short")
    end = data.rfind(b"\n") + 1
    changes: list[Change] = [json.loads(line) for line in data[:end].splitlines()]
    leases = _changed(known.leases, changes) if changes else known.leases
    return _Known(known.title, known.offset + end, known.lines + len(changes), leases, torn=end < len(data))


def _begin(content: bytes) -> _Known:
    """The first two lines of a journal."""
    title, whole, *_ = [*content.splitlines(keepends=True)[:2], b"", b""]
    if not isinstance(json.loads(title or b"{}").get("journal"), str):
        raise ValueError("it has no title")
    if not whole.endswith(b"\n"):
        raise ValueError("it is incomplete")
    return _Known(title, len(title) + len(whole), 0, decode(Leases, json.loads(whole)))


def _changed(leases: Leases, changes: Iterable[Change]) -> Leases:
    """Raises KeyError, ValueError if they do not fit."""
    networks = leases.networks.items()
    pools = {
        name: [dict(pool.addresses) if pool else {} for pool in (lease.ipv4, lease.ipv6)] for name, lease in networks
    }
    last = {name: [pool.last if pool else "" for pool in (lease.ipv4, lease.ipv6)] for name, lease in networks}
    for network, container, *given in changes:
        for place, (address, end) in enumerate(_pairs(given)):
            if address:
                pools[network][place][container], last[network][place] = address, end
            else:
                pools[network][place].pop(container, None)
    return replace(leases, networks={name: _with(lease, pools[name], last[name]) for name, lease in networks})


def _pairs(given: Sequence[str]) -> list[tuple[str, str]]:
    """The address and the last one of each family; '' for one that a change does not mention."""
    padded = [*given, *[""] * (4 - len(given))]
    ipv4, last, ipv6, last_ipv6 = padded
    return [(ipv4, last), (ipv6, last_ipv6)]


def _with(lease: NetworkLease, addresses: Sequence[Mapping[str, str]], last: Sequence[str]) -> NetworkLease:
    """The lease with these addresses of its two pools."""
    pools = zip((lease.ipv4, lease.ipv6), addresses, last, strict=True)
    return lease.with_pools(*(pool and replace(pool, addresses=given, last=end) for pool, given, end in pools))


def _changes(before: Leases, after: Leases) -> list[Change] | None:
    """What leads from one to the other; None if it is more than addresses."""
    if (before.networks.keys(), before.global_id) != (after.networks.keys(), after.global_id):
        return None
    found: list[Change] = []
    for name, lease in after.networks.items():
        old = before.networks[name]
        if lease is old:
            continue
        if _without_addresses(lease) != _without_addresses(old):
            return None
        held, known = _addresses(lease), _addresses(old)
        found += [[name, container] for container in known.keys() - held.keys()]
        for container, (ipv4, ipv6) in held.items() - known.items():
            found.append([name, container, ipv4, lease.last, *([ipv6, lease.ipv6.last] if lease.ipv6 else [])])
    return found


def _without_addresses(lease: NetworkLease) -> NetworkLease:
    return _with(lease, ({}, {}), ("", ""))


def _addresses(lease: NetworkLease) -> dict[str, tuple[str, str]]:
    """Of each container, one of each family; '' for a family that the network does not have."""
    if lease.ipv6 is None:
        return {container: (address, "") for container, address in lease.addresses.items()}
    ipv6 = lease.ipv6.addresses
    return {container: (lease.addresses.get(container, ""), ipv6.get(container, "")) for container in lease.containers}


def _find(home: Home) -> Leases:
    from orchestra.driver.local.net.found_leases import find_leases  # rarely used

    with kernel_errors("networks"):
        return find_leases(home)


def _store(home: Home, stored: _Known | None, leases: Leases) -> _Known:
    """Returns what the file holds now."""
    # No fsync: bridges and namespaces do not survive a crash that loses the file, and it means nothing without them.
    changes = None if stored is None else _changes(stored.leases, leases)
    if stored is None or changes is None or stored.lines + len(changes) > _lines_max(leases):
        title = json.dumps({"journal": os.urandom(8).hex()})
        first, second = f"{title}\n".encode(), f"{json.dumps(encode(leases))}\n".encode()
        private_files.store(_path(home), first + second)
        return _Known(first, len(first) + len(second), 0, leases)
    if not changes:
        return stored
    lines = "".join(f"{json.dumps(change)}\n" for change in changes).encode()
    _append(_path(home), lines)
    return stored._replace(offset=stored.offset + len(lines), lines=stored.lines + len(changes), leases=leases)


def _lines_max(leases: Leases) -> int:
    return max(LINES_MIN, LINES_FOR_ADDRESS * sum(len(lease.containers) for lease in leases.networks.values()))


def _append(path: str, lines: bytes) -> None:
    """All of them or, when the disk is full, none. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        if os.write(descriptor, lines) < len(lines):
            os.ftruncate(descriptor, size)
            raise OSError(ENOSPC, os.strerror(ENOSPC), path)
    finally:
        os.close(descriptor)


def _path(home: Home) -> str:
    return f"{home.networks}/leases.json"
