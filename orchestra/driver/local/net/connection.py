"""Connecting a container that exists to a network, and disconnecting it, while its processes run.

Each step may be the last one: the attachment says that an interface is incomplete before anything of it is changed, so
``observe`` shows what is left to do, and doing it again completes it. The leases are locked throughout, so that nothing
half done is taken for damage.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import etc, ipam, lease_file, link
from orchestra.driver.local.net.endpoint import pin_path
from orchestra.driver.local.net.failure import kernel_errors
from orchestra.driver.local.net.interfaces import arranged, free_device, interface_of
from orchestra.errors import FatalError, TemporaryError
from orchestra.linux.network.namespace import inside
from orchestra.linux.network.netlink import Netlink
from orchestra.model.observed import BY_HAND
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from orchestra.driver.local.net.attachment import Attachment, Interface
    from orchestra.driver.local.net.ipam import NetworkLease, Pool
    from orchestra.driver.local.net.lease_file import LeaseFile
    from orchestra.home import Home
    from orchestra.model.container import Endpoint

HOSTS_MAX = 1 << 20
"""Bytes of a hosts file that is brought up to date."""


def connect(home: Home, stack: str, directory: str, endpoint: Endpoint, *, by_hand: bool = False) -> Attachment:
    """Connect the container of ``directory``, or give it what the endpoint says now. Returns its attachment.

    Ports and names take effect with the next ``apply``. Raises TemporaryError while the network is missing, or another
    container still has the address; FatalError if the container has no networks of its own.
    """
    before = _begun(_load(directory))
    network, path = endpoint.network, pin_path(home, before.container_id)
    with kernel_errors(f"container {before.container}"), lease_file.locked(home) as file, Netlink() as connection:
        lease = file.leases.networks.get(network)
        if lease is None:
            raise TemporaryError(f"network {network} does not exist yet")
        held = _on(before, network)
        if held is not None and _is_waited_for(lease, before.container_id, endpoint):
            # Two containers exchange their addresses: one has to be without for a moment.
            _leave(home, stack, directory, before, held, file, connection)
            file.store()
        lease = _lease(lease, before, endpoint)
        made = _interface(before, held, endpoint, lease)
        file.leases = file.leases.with_network(network, lease)
        file.store()
        changed = held is None or _wiring(held) != _wiring(made)
        if held is not None:
            attachments.store(directory, _with(before, network, replace(held, config_hash="")))
            if changed:
                with link.turn:
                    inside(path, _remove, held.device)
        before = replace(before, former=tuple({*before.former, *made.addresses}))
        after = _with(before, network, replace(made, config_hash=""))
        attachments.store(directory, after)
        with link.turn:
            link.connect(connection, home, path, after.interfaces, file.leases.networks)
        done = _with(after, network, replace(made, config_hash=BY_HAND) if by_hand else made)
        done = replace(done, left={name: at for name, at in before.left.items() if name != network})
        return _finish(home, stack, directory, done)


def disconnect(home: Home, stack: str, directory: str, network: str, *, by_hand: bool = False) -> Attachment:
    """Take the container of ``directory`` off the network; does nothing if it is not connected.

    Returns its attachment. Ports and names take effect with the next ``apply``.
    """
    found = _load(directory)
    held = _on(found, network)
    if held is None:
        return found
    before = _begun(found)
    with kernel_errors(f"container {before.container}"), lease_file.locked(home) as file, Netlink() as connection:
        left = {**before.left, network: time.time()} if by_hand else before.left
        return _leave(home, stack, directory, replace(before, left=left), held, file, connection)


def _leave(
    home: Home,
    stack: str,
    directory: str,
    before: Attachment,
    held: Interface,
    file: LeaseFile,
    connection: Netlink,
) -> Attachment:
    """Take the container off the network of the interface that it holds."""
    path = pin_path(home, before.container_id)
    attachments.store(directory, _with(before, held.network, replace(held, config_hash="")))
    after = _with(before, held.network, None)
    with link.turn:
        inside(path, _remove, held.device)
        link.connect(connection, home, path, after.interfaces, file.leases.networks)
    after = _finish(home, stack, directory, after)
    file.leases = file.leases.of_container(before.container_id, after.by_network)
    return after


def _load(directory: str) -> Attachment:
    found = attachments.load(directory)
    if found is None or not found.names:
        name = os.path.basename(directory)
        hint = "connect the container whose network it shares, or give the service networks instead of network_mode"
        raise FatalError(f"container {name} has no networks of its own", hint=hint)
    return found


def _begun(attachment: Attachment) -> Attachment:
    return replace(attachment, former=tuple({*attachment.former, *_addresses(attachment)}))


def _addresses(attachment: Attachment) -> tuple[str, ...]:
    return tuple(address for interface in attachment.interfaces for address in interface.addresses)


def _on(attachment: Attachment, network: str) -> Interface | None:
    return next((interface for interface in attachment.interfaces if interface.network == network), None)


def _with(attachment: Attachment, network: str, interface: Interface | None) -> Attachment:
    """The attachment with this interface on the network, or without one."""
    others = [found for found in attachment.interfaces if found.network != network]
    return replace(attachment, interfaces=arranged([*others, interface] if interface else others))


def _is_waited_for(lease: NetworkLease, container_id: str, endpoint: Endpoint) -> bool:
    """Whether the file gives its address to another container, while one has the address that it is to get."""
    own = {pool.addresses.get(container_id) for pool in lease.pools}
    others = {address for pool in lease.pools for address in pool.addresses.values()} - own
    wanted = {endpoint.ipv4_address, endpoint.ipv6_address}
    return bool(own & ({*endpoint.reserved} - wanted)) and bool(others & wanted)


def _lease(lease: NetworkLease, attachment: Attachment, endpoint: Endpoint) -> NetworkLease:
    """The network's lease with addresses for the container: those it has, unless the file gives them to another."""
    own, wanted = attachment.container_id, (endpoint.ipv4_address, endpoint.ipv6_address)
    taken = {address for pool in lease.pools for key, address in pool.addresses.items() if key != own}
    for number, address in enumerate(wanted):
        if address in taken:
            hint = "it is free once that container has another one, or is removed"
            what = f"network {endpoint.network}: ipv{(4, 6)[number]}_address {address}"
            raise TemporaryError(f"{what} is still leased to another container", hint=hint)
    given = {*endpoint.reserved} - {*wanted}
    pools = (pool and _without(pool, own, given) for pool in (lease.ipv4, lease.ipv6))
    return ipam.lease_address(endpoint.network, lease.with_pools(*pools), own, wanted, endpoint.reserved)


def _without(pool: Pool, container_id: str, given: Collection[str]) -> Pool:
    """The pool, in which the container gives up an address of these."""
    if pool.addresses.get(container_id) not in given:
        return pool
    return replace(pool, addresses={key: value for key, value in pool.addresses.items() if key != container_id})


def _interface(attachment: Attachment, held: Interface | None, endpoint: Endpoint, lease: NetworkLease) -> Interface:
    taken = {found.device for found in attachment.interfaces if found is not held}
    device = endpoint.interface_name or (held.device if held else free_device(lease, taken))
    if device in taken:
        raise FatalError(f"container {attachment.container}: it has another interface with the name {device}")
    return interface_of(endpoint, lease, attachment.container, attachment.container_id, attachment.names, device)


def _wiring(interface: Interface) -> Interface:
    """What of an interface cannot be changed in place."""
    return replace(
        interface, names=(), publishes=False, publishes_ipv6=False, priority=0, gateway_priority=0, config_hash=""
    )


def _remove(device: str) -> None:
    with Netlink() as own:
        own.remove_link(device)


def _finish(home: Home, stack: str, directory: str, attachment: Attachment) -> Attachment:
    """Bring hosts files up to date, of containers that share the network too, and record the attachment last."""
    for entry in attachments.load_all(home.stack(stack)):
        other = entry.attachment
        if other.namespace_path == attachment.namespace_path and other.container_id != attachment.container_id:
            _store_hosts(entry.directory, other, attachment)
    return _store_hosts(directory, attachment, attachment)


def _store_hosts(directory: str, attachment: Attachment, owner: Attachment) -> Attachment:
    """owner: of the addresses. Returns the attachment as stored."""
    former, addresses = owner.former, _addresses(owner)
    _write_hosts(directory, former, addresses, attachment.hostname)
    hosts = etc.with_addresses(attachment.hosts, former, addresses, attachment.hostname)
    done = replace(attachment, hosts=hosts, former=())
    attachments.store(directory, done)
    return done


def _write_hosts(directory: str, former: Sequence[str], addresses: Sequence[str], hostname: str) -> None:
    """In place: the file itself is mounted in the container. One that is about to be made has none yet.

    The container may write to it: what has grown beyond all measure is left as it is.
    """
    with (
        contextlib.suppress(FileNotFoundError),
        open(f"{directory}/hosts", "r+", encoding="utf-8", errors="surrogateescape") as file,
    ):
        if os.fstat(file.fileno()).st_size > HOSTS_MAX:
            return
        text = etc.with_addresses(file.read(HOSTS_MAX), former, addresses, hostname)
        file.seek(0)
        file.write(text)
        file.truncate()
