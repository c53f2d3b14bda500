"""What follows from the attachments of a stack: its rules and the names it publishes, computed whole and swapped in.

Each stack publishes its names on a network in one file of the network's folder, so that stacks which share a network
answer from the union without asking each other.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from typing import TYPE_CHECKING

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import filter as rules
from orchestra.driver.local.net import lease_file, ruleset
from orchestra.driver.local.net.failure import kernel_errors
from orchestra.driver.local.net.forwarding import ensure_forwarding
from orchestra.driver.local.net.ports import ANY
from orchestra.linux import private_files
from orchestra.linux.network.netlink import Netlink
from orchestra.linux.network.nftables import has_table
from orchestra.model.codec import decode, encode
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.driver.local.net.attachment import Attached
    from orchestra.driver.local.net.ipam import Leases
    from orchestra.home import Home


class Named(Record):
    """One container's names on one network. directory: of the ``state.json`` and ``exit.json`` that tell if it runs."""

    container: str
    directory: str
    address: str
    names: tuple[str, ...]


class _Turn:
    def __init__(self) -> None:
        self.done = threading.Event()
        self.error: BaseException | None = None


class SingleFlight:
    """One run for many callers: callers that come while a run is in progress share the next one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = threading.Lock()
        self._next: _Turn | None = None

    def run(self, function: Callable[[], None]) -> None:
        """Returns, or raises what the run raised, after a run of ``function`` that began after this call."""
        with self._lock:
            leads = self._next is None
            turn = self._next = self._next or _Turn()
        if leads:
            with self._running:
                with self._lock:
                    self._next = None
                try:
                    function()
                except BaseException as error:
                    turn.error = error
                    raise
                finally:
                    turn.done.set()
        else:
            turn.done.wait()
            if turn.error is not None:
                raise turn.error


_flights: dict[tuple[Home, str], SingleFlight] = {}


def apply(home: Home, stack: str) -> None:
    """Update rules and published names from the current attachments of the stack.

    Many threads may call this at once; they share runs. Raises DriverError.
    """
    flight = _flights.setdefault((home, stack), SingleFlight())
    flight.run(lambda: _apply(home, stack))


def _apply(home: Home, stack: str) -> None:
    attached = attachments.load_all(home.stack(stack))
    leases = lease_file.load(home)
    _publish_names(home, stack, leases, attached)
    bridges = bridges_of(stack, leases)
    silent: tuple[str, ...] = ()
    with kernel_errors(f"stack {stack}"):
        if bridges:
            with Netlink() as connection:
                silent = ensure_forwarding(connection, home)
    table, publications = rules.table_name(home, stack), publications_of(attached)
    if bridges or publications or _is_there(table):
        ruleset.apply(home, stack, rules.render(table, bridges, publications, silent))


def _is_there(table: str) -> bool:
    """Whether the table exists; a kernel without nf_tables has none."""
    try:
        return has_table(table)
    except OSError:
        return False


def bridges_of(stack: str, leases: Leases) -> tuple[rules.Bridge, ...]:
    """The networks that the stack made, and so has to make the rules for."""
    return tuple(
        rules.Bridge(lease.bridge, lease.subnet, lease.internal, lease.masquerade, lease.source, lease.between)
        for _, lease in sorted(leases.networks.items())
        if lease.stack == stack
    )


def publications_of(attached: Sequence[Attached]) -> tuple[rules.Publication, ...]:
    """Every published port with the address it leads to, on the container's first network that is not internal."""
    return tuple(
        rules.Publication(
            port.protocol, "" if port.host_ip == ANY else port.host_ip, port.published, address, port.target
        )
        for entry in attached
        for address in [interface.address for interface in entry.attachment.interfaces if interface.publishes]
        for port in entry.attachment.ports
        if port.published is not None
    )


def names_of(attached: Sequence[Attached], network: str) -> tuple[Named, ...]:
    """The names of the containers on one network."""
    return tuple(
        Named(entry.attachment.container, entry.directory, interface.address, interface.names)
        for entry in attached
        for interface in entry.attachment.interfaces
        if interface.network == network
    )


def names_folder(home: Home, network: str) -> str:
    """The folder for what each stack publishes on the network, as ``STACK.json``."""
    return f"{home.networks}/names/{network}"


def load_names(path: str) -> tuple[Named, ...]:
    """The content of one such file; empty if it is gone."""
    try:
        with open(path, encoding="utf-8") as file:
            return decode(tuple[Named, ...], json.load(file))
    except (FileNotFoundError, ValueError, RecursionError):
        return ()  # a damaged file is rewritten when its stack's containers change, or its supervisor starts


def _publish_names(home: Home, stack: str, leases: Leases, attached: Sequence[Attached]) -> None:
    for network in leases.networks:
        folder = names_folder(home, network)
        path = f"{folder}/{stack}.json"
        if names := names_of(attached, network):
            private_files.make_directories(folder)
            private_files.store(path, json.dumps(encode(names)).encode())
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
