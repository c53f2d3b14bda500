"""The networks of a stack and its containers' part in them: called by the local driver, from any thread.

``create_network`` and ``attach`` make bridges, leases, namespaces and interfaces; ``apply`` computes everything that
follows from them (rules, published names) anew. Every function is idempotent and completes what a crash left half
done. Errors are FatalError or TemporaryError.
"""

from __future__ import annotations

import contextlib
import os
import time
from functools import partial
from typing import TYPE_CHECKING

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import ipam, lease_file, link, options, ruleset
from orchestra.driver.local.net import parent_link as parents
from orchestra.driver.local.net.drift import RULES_LOST, find_losses
from orchestra.driver.local.net.endpoint import attach, detach, pinned_ids, reattach
from orchestra.driver.local.net.failure import kernel_errors
from orchestra.driver.local.net.forwarding import ensure_forwarding, restore_forwarding
from orchestra.driver.local.net.ipam import Pool
from orchestra.driver.local.net.mark import home_hash, mark_of, parse_mark
from orchestra.driver.local.net.projection import apply, names_folder, publish
from orchestra.errors import FatalError, StillInUse, TemporaryError
from orchestra.linux.network.netlink import Netlink
from orchestra.model import observed
from orchestra.model.names import NetworkName
from orchestra.record import replace
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from orchestra.driver.local.net.ipam import Leases, NetworkLease, Subnet
    from orchestra.home import Home
    from orchestra.model.desired import NetworkSpec

__all__ = ["apply", "attach", "create_network", "detach", "observe_networks", "publish", "remove_network", "restore"]

ATTEMPTS = 16
NAME_MAX = 128
# Docker's pattern; names become directories and parts of the marks of interfaces.
NAME = regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


def create_network(home: Home, stack: str, spec: NetworkSpec) -> bool:
    """Make the network's bridge and lease its subnet, or complete them. Returns whether the network is new.

    An external network must exist in this home already.
    """
    if not NAME.fullmatch(spec.name) or len(spec.name) > NAME_MAX:
        hint = f"use at most {NAME_MAX} letters, digits, _, . and -"
        raise FatalError(f"network {spec.name}: invalid network name", hint=hint)
    with kernel_errors(f"network {spec.name}"), Netlink() as connection:
        if spec.external:
            _check_external(connection, home, spec)
            with lease_file.locked(home) as file:
                reattach(connection, home, file.leases, spec.name)
            return False
        with lease_file.locked(home) as file:
            lease = file.leases.networks.get(spec.name)
            if lease is not None and lease.stack != stack and _exists(connection, home, spec.name, lease):
                hint = "mark it as external to share it"
                raise FatalError(f"network {spec.name} belongs to stack {lease.stack}", hint=hint)
            made = lease is None or connection.link(lease.device) is None
            for _ in range(ATTEMPTS):
                if spec.ipv6 and not file.leases.global_id:
                    file.leases = replace(file.leases, global_id=os.urandom(5).hex())
                lease = _lease_network(connection, home, stack, spec, file.leases)
                file.leases = file.leases.with_network(spec.name, lease)
                _ensure_device(connection, home, spec.name, lease)
                # What containers have already is theirs.
                if not made or lease.containers or not _collides(connection, lease):
                    break
                # Another home took the same subnet at the same moment: they cannot see our file, only the bridge.
                connection.remove_link(lease.bridge)
                file.leases = file.leases.without_network(spec.name)
            else:
                raise TemporaryError(f"network {spec.name}: every subnet tried is used by another network")
            if lease.containers:
                reattach(connection, home, file.leases, spec.name)
        if lease.bridge:
            ensure_forwarding(connection, home)
    return made


def remove_network(home: Home, stack: str, name: str) -> None:
    """Remove what a network that ``stack`` made has in the kernel, and its lease; does nothing for any other.

    Raises StillInUse while containers are attached.
    """
    with kernel_errors(f"network {name}"), Netlink() as connection:
        with lease_file.locked(home) as file:
            leases = file.leases.of_living(pinned_ids(home))
            lease = leases.networks.get(name)
            if lease is None or lease.stack != stack:
                return
            if lease.containers:
                hint = "stop and remove the containers that are attached to it"
                users = ", ".join(_users(home, lease.containers))
                raise StillInUse(f"network {name} is still in use by {users}", hint=hint)
            file.leases = leases.without_network(name)
            if lease.parent:
                parents.release(connection, home, name, lease.parent, file.leases)
            else:
                before = link.bridges(connection)
                connection.remove_link(lease.bridge)
                restore_forwarding(connection, before)
        _remove_folder(names_folder(home, name))
    apply(home, stack)


def restore(home: Home, stack: str) -> None:
    """Finish what a killed supervisor left half done in the networks of the stack, then ``apply``.

    A bridge gets what it lacks; a lease without a bridge and without addresses is given up.
    """
    if lease_file.load(home).networks:
        _correct_leases(home, stack)
    if any(lease.stack == stack for lease in lease_file.load(home).networks.values()):
        with kernel_errors(f"networks of stack {stack}"):
            losses = find_losses(home, stack)
        with kernel_errors(f"networks of stack {stack}"), Netlink() as connection, lease_file.locked(home) as file:
            for name, lease in file.leases.of_living(pinned_ids(home)).networks.items():
                if lease.stack == stack and _exists(connection, home, name, lease):
                    _ensure_device(connection, home, name, lease)
                    if name in losses:
                        reattach(connection, home, file.leases, name)
                elif lease.stack == stack and not lease.containers:
                    file.leases = file.leases.without_network(name)
    apply(home, stack)


def _correct_leases(home: Home, stack: str) -> None:
    """Give each container of the stack the leases of its attachment: to connect it may have been interrupted."""
    with lease_file.locked(home) as file:
        for entry in attachments.load_all(home.stack(stack)):
            made = entry.attachment
            if made.names:
                file.leases = file.leases.of_container(made.container_id, made.by_network)


def observe_networks(
    home: Home,
    stack: str,
    external: Collection[str] = (),
    *,
    rules_follow: bool = False,
    look: Callable[[], Mapping[str, str]] | None = None,
) -> tuple[observed.Network, ...]:
    """The networks that ``stack`` made, and those of ``external`` that exist, sorted by name.

    A network exists if its bridge does, or its parent; a lease alone is a promise. rules_follow: the rules are about to
    be applied, so they need not be looked at. look: what the networks lack, if the caller knows a cheaper way than
    ``find_losses``.
    """
    leases = lease_file.load(home)
    found: list[observed.Network] = []
    with kernel_errors("networks"), Netlink() as connection:
        bridges = {bridge.name for bridge, _ in link.bridges(connection)}
        seen = [
            (name, lease)
            for name, lease in sorted(leases.networks.items())
            if (lease.stack == stack or name in external)
            and (lease.bridge in bridges or (lease.parent and connection.link(lease.parent.interface)))
        ]
        lost = (
            "" if not any(lease.bridge for _, lease in seen) or rules_follow or has_rules(home, stack) else RULES_LOST
        )
        losses = (look or partial(find_losses, home, stack))() if seen else {}
        for name, lease in seen:
            key = NetworkName(name)
            if lease.stack == stack:
                loss = _joined(lost if lease.bridge else "", losses.get(name, ""))
                found.append(observed.Network(key, config_hash=lease.config_hash, loss=loss))
            else:
                loss = _joined(lost if ruleset.was_applied(home, stack) else "", losses.get(name, ""))
                found.append(observed.Network(key, external=True, loss=loss))
    return tuple(found)


def _joined(rules: str, other: str) -> str:
    """Both losses in one clause: the one that is seen first does not hide what else was changed."""
    return other if rules in other else ", ".join(filter(None, [rules, other]))


def has_rules(home: Home, stack: str) -> bool:
    """Whether the kernel holds the stack's rules as they were applied; true if this process may not see that."""
    try:
        return ruleset.is_whole(home, stack)
    except PermissionError:
        return True


def _check_external(connection: Netlink, home: Home, spec: NetworkSpec) -> None:
    lease = lease_file.load(home).networks.get(spec.name)
    if lease is None or not _exists(connection, home, spec.name, lease):
        hint = f"start the stack that creates it, or remove `external` from network {spec.key}"
        raise FatalError(f"network {spec.name} is declared as external, but does not exist", hint=hint)


def _users(home: Home, ids: Collection[str]) -> list[str]:
    """A description of the containers with these ids."""
    with contextlib.suppress(FileNotFoundError):
        found = [
            f"container {entry.attachment.container} of stack {stack}"
            for stack in sorted(os.listdir(home.stacks_run))
            for entry in attachments.load_all(home.stack(stack))
            if entry.attachment.container_id in ids
        ]
        if found:
            return found
    return [f"{len(ids)} container{'s' * (len(ids) > 1)}"]


def _ensure_device(connection: Netlink, home: Home, name: str, lease: NetworkLease) -> None:
    if lease.parent:
        parents.ensure_parent(connection, name, lease.parent, mark_of(home, name).render())
    else:
        link.ensure_bridge(connection, home, name, lease)


def _exists(connection: Netlink, home: Home, name: str, lease: NetworkLease) -> bool:
    found = connection.link(lease.device)
    if lease.parent:
        return found is not None
    mark = parse_mark(found.alias) if found else None
    return mark is not None and (mark.home, mark.network) == (home_hash(home), name)


def _lease_network(connection: Netlink, home: Home, stack: str, spec: NetworkSpec, leases: Leases) -> NetworkLease:
    """The network's current lease, or a new one that fits the file and the host."""
    options.check_options(spec)
    held = leases.networks.get(spec.name)
    if held is not None and held.stack == stack and held.config_hash == spec.config_hash:
        return held
    own_name = link.bridge_name(home, spec.name)
    parent = options.parse_parent(spec, own_name)
    if parent is not None:
        parents.check_parent(spec.name, parent, leases)
    bridge = "" if parent else spec.driver_options.get(options.NAME) or own_name
    existing = connection.link(bridge) if bridge else None
    if existing is not None:
        if parse_mark(existing.alias) is None and not bridge.startswith(link.BRIDGE_PREFIX):
            raise FatalError(f"network {spec.name}: interface {bridge} already exists and does not belong to Orchestra")
        connection.remove_link(bridge)  # ours, from before its lease was lost or its definition changed
    # With a parent, the subnet is usually one that the host is on itself.
    taken: dict[Subnet, str] = {} if parent and _has_subnets(spec) else link.host_networks(connection)
    for name, lease in leases.networks.items():
        if name != spec.name:
            for pool in lease.pools:
                taken[pool.gateway_interface.network] = f"the subnet of network {name}"
    return ipam.NetworkLease(
        stack=stack,
        bridge=bridge,
        subnet="",
        gateway="",
        config_hash=spec.config_hash,
        internal=spec.internal,
        masquerade=options.masquerades(spec),
        source=options.source_address(spec),
        between=options.connects_containers(spec),
        interface_prefix=options.interface_prefix(spec),
        mtu=options.parse_mtu(spec),
        labels=spec.labels,
        driver_options=spec.driver_options,
        created_at=time.time(),
        reserved=spec.reserved,
        gateway_mode_ipv6=options.gateway_mode_ipv6(spec),
        parent=parent,
    ).with_pools(*_choose_pools(spec, leases.global_id, taken))


def _has_subnets(spec: NetworkSpec) -> bool:
    return bool(spec.subnet or not spec.ipv4) and bool(spec.ipv6_subnet or not spec.ipv6)


def _choose_pools(spec: NetworkSpec, global_id: str, taken: Mapping[Subnet, str]) -> tuple[Pool | None, Pool | None]:
    """The subnets that the file names, or free ones. Raises FatalError."""
    from random import SystemRandom

    ipv4 = Pool(spec.subnet, spec.gateway, spec.ip_range) if spec.ipv4 else None
    if ipv4 is not None and not ipv4.subnet:
        ipv4 = replace(ipv4, subnet=str(ipam.choose_subnet(taken, SystemRandom(), spec.containers)))
    ipv6 = Pool(spec.ipv6_subnet, spec.ipv6_gateway, spec.ipv6_ip_range) if spec.ipv6 else None
    if ipv6 is not None and not link.has_ipv6():
        hint = "remove enable_ipv6, or start the machine without ipv6.disable=1"
        raise FatalError(f"network {spec.name}: the kernel has no IPv6", hint=hint)
    if ipv6 is not None and not ipv6.subnet:
        ipv6 = replace(ipv6, subnet=str(ipam.choose_ipv6_subnet(global_id, taken, SystemRandom())))
    pools = ((4, ipv4), (6, ipv6))
    checked = [pool and ipam.check_pool(spec.name, version, pool, taken) for version, pool in pools]
    return checked[0], checked[1]


def _collides(connection: Netlink, lease: NetworkLease) -> bool:
    """Whether a subnet of the network is in use by another."""
    if not lease.bridge:
        return False
    own = [pool.gateway_interface.network for pool in lease.pools]
    others = link.host_networks(connection, without=lease.bridge)
    return any(subnet.overlaps(other) for subnet in own for other in others)


def _remove_folder(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(path):
            os.unlink(f"{path}/{name}")
        os.rmdir(path)
