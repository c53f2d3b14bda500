"""The leases of a home in one locked file, which can be restored from other sources."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from typing import TYPE_CHECKING

from orchestra.driver.local.net.failure import kernel_errors
from orchestra.driver.local.net.ipam import Leases
from orchestra.linux import private_files
from orchestra.model.codec import decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.home import Home


class LeaseFile:
    """The leases while the lock is held: assign ``leases`` to change them."""

    def __init__(self, leases: Leases) -> None:
        self.leases = leases


@contextlib.contextmanager
def locked(home: Home) -> Iterator[LeaseFile]:
    """Hold the home's network lock; at the end ``leases`` is stored unless an exception passes through."""
    private_files.make_directories(home.networks)
    descriptor = os.open(f"{home.networks}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        stored, damage = _read(home)
        if damage:
            print(f"{damage}: rebuilt from the existing networks and containers", file=sys.stderr, flush=True)
        file = LeaseFile(stored if stored is not None else _find(home))
        yield file
        if file.leases != stored:
            _store(home, file.leases)
    finally:
        os.close(descriptor)


def load(home: Home) -> Leases:
    """The leases as they are now, read-only. If the file cannot be read, they are found from other sources."""
    stored, _ = _read(home)
    return stored if stored is not None else _find(home)


def _read(home: Home) -> tuple[Leases | None, str]:
    """None if there is no file, or it is damaged; then with a description of the damage."""
    try:
        with open(_path(home), encoding="utf-8") as file:
            return decode(Leases, json.load(file)), ""
    except FileNotFoundError:
        return None, ""
    except (ValueError, RecursionError) as error:
        return None, f"{_path(home)} cannot be read: {error}"


def _find(home: Home) -> Leases:
    from orchestra.driver.local.net.found_leases import find_leases  # rarely used

    with kernel_errors("networks"):
        return find_leases(home)


def _store(home: Home, leases: Leases) -> None:
    # No fsync: bridges and namespaces do not survive a crash that loses the file, and it means nothing without them.
    private_files.store(_path(home), json.dumps(encode(leases)).encode())


def _path(home: Home) -> str:
    return f"{home.networks}/leases.json"
