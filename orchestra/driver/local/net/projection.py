"""What follows from the attachments of a stack: its rules and the names it publishes, computed whole and swapped in.

Each stack publishes its names on a network in one file of the network's folder, so that stacks which share a network
answer from the union without asking each other.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from typing import TYPE_CHECKING, assert_never

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import filter as rules
from orchestra.driver.local.net import lease_file, ruleset
from orchestra.driver.local.net.failure import kernel_errors
from orchestra.driver.local.net.forwarding import (
    ensure_forwarding,
    ensure_ipv6_forwarding,
    silent_ipv6_uplinks,
)
from orchestra.driver.local.net.ipam import GatewayMode
from orchestra.driver.local.net.ports import EVERY_ADDRESS
from orchestra.linux import private_files
from orchestra.linux.network.netlink import FAMILIES, Netlink
from orchestra.linux.network.nftables import has_table
from orchestra.model.codec import encode
from orchestra.names.files import load_standing
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from orchestra.driver.local.net.attachment import Attached, Interface
    from orchestra.driver.local.net.ipam import Leases, NetworkLease
    from orchestra.home import Home
    from orchestra.model.container import Port
    from orchestra.names.zone import Standing


class Named(Record):
    """One container's names on one network. directory: of the files that tell whether it runs, and is healthy.

    Resolvers read it: see ``orchestra.names.files``.
    """

    container: str
    directory: str
    addresses: tuple[str, ...]
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

    def run_between(self, function: Callable[[], None]) -> None:
        """Run something else than callers of ``run`` do, while none of their runs is in progress."""
        with self._running:
            function()


_flights: dict[tuple[Home, str], SingleFlight] = {}


def apply(home: Home, stack: str) -> None:
    """Update rules and published names from the current attachments of the stack.

    Many threads may call this at once; they share runs. Raises DriverError.
    """
    flight = _flights.setdefault((home, stack), SingleFlight())
    flight.run(lambda: _apply(home, stack))


def publish(home: Home, stack: str) -> None:
    """Update only the names that ``apply`` publishes: the rules depend on published ports, not on other attachments.

    Raises DriverError.
    """
    flight = _flights.setdefault((home, stack), SingleFlight())
    flight.run_between(
        lambda: _publish_names(home, stack, lease_file.load(home), attachments.load_all(home.stack(stack)))
    )


def _apply(home: Home, stack: str) -> None:
    attached = attachments.load_all(home.stack(stack))
    leases = lease_file.load(home)
    _publish_names(home, stack, leases, attached)
    bridges, publications = bridges_of(stack, leases, attached), publications_of(attached, leases)
    with kernel_errors(f"stack {stack}"), Netlink() as connection:
        silent = (
            ensure_forwarding(connection, home) if bridges[0] else (),
            tuple(silent_ipv6_uplinks(connection)) if bridges[1] else (),
        )
    table = rules.table_name(home, stack)
    families = zip(rules.FAMILIES, FAMILIES, bridges, publications, silent, strict=True)
    transactions = [
        rules.render(table, own, published, uplinks, name)
        for name, family, own, published, uplinks in families
        if own or published or _is_there(table, family)
    ]
    if transactions:
        ruleset.apply(home, stack, rules.joined(transactions))
    if needing := {bridge.name for bridge in bridges[1] if not bridge.internal}:
        with kernel_errors(f"stack {stack}"), Netlink() as connection:
            ensure_ipv6_forwarding(connection, home, needing)


def _is_there(table: str, family: int) -> bool:
    """Whether the table exists; a kernel without nf_tables has none."""
    try:
        return has_table(table, family)
    except OSError:
        return False


Bridges = tuple[rules.Bridge, ...]
Publications = tuple[rules.Publication, ...]


def bridges_of(stack: str, leases: Leases, attached: Sequence[Attached]) -> tuple[Bridges, Bridges]:
    """The networks that the stack made, and so has to make the rules for: those with IPv4, and those with IPv6."""
    own = [(name, lease) for name, lease in sorted(leases.networks.items()) if lease.stack == stack and lease.bridge]
    ipv4 = tuple(
        rules.Bridge(lease.bridge, lease.subnet, lease.internal, lease.masquerade, lease.source, lease.between)
        for _, lease in own
        if lease.ipv4
    )
    ipv6 = tuple(
        rules.Bridge(
            lease.bridge,
            lease.ipv6.subnet,
            lease.internal,
            lease.masquerade and lease.gateway_mode_ipv6 is not GatewayMode.ROUTED,
            between=lease.between,
            open_to=_open_to(name, lease, attached),
        )
        for name, lease in own
        if lease.ipv6
    )
    return ipv4, ipv6


def _open_to(
    network: str, lease: NetworkLease, attached: Sequence[Attached]
) -> tuple[tuple[str, str, int], ...] | None:
    match lease.gateway_mode_ipv6:
        case GatewayMode.NAT:
            return ()
        case GatewayMode.NAT_UNPROTECTED:
            return None
        case GatewayMode.ROUTED:
            return tuple(
                (interface.ipv6_address, port.protocol, port.target)
                for entry in attached
                for interface in entry.attachment.interfaces
                if interface.network == network and interface.publishes_ipv6
                for port in entry.attachment.ports
                if _suits(port, interface.ipv6_address)
            )
        case unreachable:
            assert_never(unreachable)


def publications_of(
    attached: Sequence[Attached], leases: Leases, standing: Callable[[str], Standing] = load_standing
) -> tuple[Publications, Publications]:
    """Every published port with the addresses it leads to, of each family.

    That is on the container's leading network that is not internal; there are none if it has a parent. Of several
    containers that have one host port, it leads to those that are ready, if there are any.
    """
    found: tuple[list[_Target], list[_Target]] = ([], [])
    for entry in attached:
        for interface in entry.attachment.interfaces:
            lease = leases.networks.get(interface.network)
            if lease is not None and lease.parent is not None:
                continue
            is_routed = lease is not None and lease.gateway_mode_ipv6 is GatewayMode.ROUTED
            for address in interface.published_addresses:
                is_ipv6 = ":" in address
                found[is_ipv6].extend(
                    (rules.Publication(port.protocol, _host_ip(port), port.published, address, port.target), entry)
                    for port in entry.attachment.ports
                    if port.published is not None and _suits(port, address) and not (is_ipv6 and is_routed)
                )
    return _ready_ones(found[0], standing), _ready_ones(found[1], standing)


_Target = tuple[rules.Publication, "Attached"]


def _ready_ones(targets: Sequence[_Target], standing: Callable[[str], Standing]) -> Publications:
    sharing: dict[tuple[str, str, int], list[_Target]] = {}
    for target in targets:
        sharing.setdefault((target[0].protocol, target[0].host_ip, target[0].host_port), []).append(target)
    chosen = [_best(those, standing) if len(those) > 1 else those for those in sharing.values()]
    return tuple(publication for those in chosen for publication, _ in those)


def _best(targets: Sequence[_Target], standing: Callable[[str], Standing]) -> Sequence[_Target]:
    """Those that run, are well, and are not about to stop; else what comes nearest to that."""
    ranks = [_rank(entry, standing) for _, entry in targets]
    return [target for target, rank in zip(targets, ranks, strict=True) if rank == max(ranks)]


def _rank(entry: Attached, standing: Callable[[str], Standing]) -> tuple[bool, bool, bool]:
    stands = standing(entry.directory)
    return stands.runs, stands.is_well, not entry.attachment.drained_at


def _host_ip(port: Port) -> str:
    return "" if port.host_ip in EVERY_ADDRESS else port.host_ip


def _suits(port: Port, address: str) -> bool:
    """Whether a port that is published at its address of the host can lead to this one. Without one it is IPv4's."""
    return (":" in port.host_ip) == (":" in address)


def names_of(
    attached: Sequence[Attached], network: str, standing: Callable[[str], Standing] = load_standing
) -> list[str]:
    """The names of the containers on one network, each a ``Named`` in JSON.

    One that is about to stop has none that another one has, too.
    """
    taken: frozenset[str] = frozenset()
    if any(entry.attachment.drained_at for entry in attached):
        ready = (entry for entry in attached if all(_rank(entry, standing)))
        taken = frozenset(
            name
            for entry in ready
            for interface in entry.attachment.interfaces
            if interface.network == network
            for name in interface.names
        )
    return [
        _encoded(entry, interface, (name for name in interface.names if name not in taken))
        if entry.attachment.drained_at
        else entry.published.get(network) or _publish(entry, interface)
        for entry in attached
        for interface in entry.attachment.interfaces
        if interface.network == network
    ]


def _publish(entry: Attached, interface: Interface) -> str:
    """Remembered, since with each container that starts the names of all others are published again."""
    text = entry.published[interface.network] = _encoded(entry, interface, interface.names)
    return text


def _encoded(entry: Attached, interface: Interface, names: Iterable[str]) -> str:
    named = Named(entry.attachment.container, entry.directory, interface.addresses, tuple(names))
    return json.dumps(encode(named))


def names_folder(home: Home, network: str) -> str:
    """The folder for what each stack publishes on the network, as ``STACK.json``."""
    return f"{home.names}/{network}"


def _publish_names(home: Home, stack: str, leases: Leases, attached: Sequence[Attached]) -> None:
    for network in leases.networks:
        folder = names_folder(home, network)
        path = f"{folder}/{stack}.json"
        if names := names_of(attached, network):
            private_files.make_directories(folder)
            private_files.store(path, f"[{', '.join(names)}]".encode())
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
