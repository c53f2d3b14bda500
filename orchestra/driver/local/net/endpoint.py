"""A container's part in networks: made before any of its processes, joined by path, recorded in its directory."""

from __future__ import annotations

import ipaddress
import os
from errno import ENOENT, ESRCH
from typing import TYPE_CHECKING, assert_never

from orchestra.container.directory import ContainerDirectory
from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import etc, ipam, lease_file, link
from orchestra.driver.local.net.attachment import Attachment
from orchestra.driver.local.net.failure import kernel_errors
from orchestra.driver.local.net.interfaces import interfaces_of, mac_address_of, names_of
from orchestra.errors import FatalError, TemporaryError
from orchestra.linux import whole_files
from orchestra.linux.network.namespace import (
    inside,
    is_pinned,
    make_shared_directory,
    pin_namespace,
    remove_shared_directory,
    unpin_namespace,
)
from orchestra.linux.network.netlink import FAMILIES, Netlink, family_of
from orchestra.linux.process import is_alive
from orchestra.linux.resolv_conf import load_resolv_conf
from orchestra.linux.syscall import SystemCallError
from orchestra.model.sharing import Bare, Host, OfContainer, OfService, Own
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from orchestra.driver.local.net.ipam import Leases, NetworkLease
    from orchestra.home import Home
    from orchestra.model.container import ContainerSpec, Endpoint

RESOLVER = "127.0.0.11"
Joined = OfService | OfContainer


def attach(home: Home, stack: str, container: ContainerSpec, container_id: str, directory: str) -> Attachment:
    """Make the container's namespace with its interfaces and record it in ``directory``; idempotent.

    ``container.ports`` must have their host ports chosen. Ports and names take effect with the next ``apply``.
    Raises TemporaryError while a network, or the container whose network it shares, is missing.
    """
    _check_addresses(container)
    with kernel_errors(f"container {container.name}"):
        match container.network_mode:
            case Own() | Bare():
                made = _attach_own(home, stack, container, container_id)
            case Host():
                made = _of_host(stack, container, container_id)
            case OfService() | OfContainer() as whose:
                made = _join(home, stack, container, container_id, whose)
            case unreachable:
                assert_never(unreachable)
        attachments.store(directory, made)
        return made


def check_endpoint(home: Home, stack: str, container: ContainerSpec) -> None:
    """What ``attach`` would raise, as far as the definition and the other containers show."""
    _check_addresses(container)
    match container.network_mode:
        case OfService() | OfContainer() as whose:
            _join(home, stack, container, "", whose)
        case Host():
            _check_ports_of_host(container)
    for endpoint in container.endpoints:
        mac_address_of(endpoint, container.name)
    if {endpoint.network for endpoint in container.endpoints} <= lease_file.load(home).networks.keys():
        families = publishing_families(home, container)
        _check_published(container, [family for family, has in zip(FAMILIES, families, strict=True) if has])


def _check_ports_of_host(container: ContainerSpec) -> None:
    if container.ports:
        hint = "remove ports: with network_mode host, the container listens on the host's own ports"
        raise FatalError(f"container {container.name}: ports cannot be published with network_mode host", hint=hint)


def _check_addresses(container: ContainerSpec) -> None:
    """Resolvers silently skip invalid entries of files, which would be hard to find."""
    given = [("dns", "", address) for address in container.dns]
    given += [("extra_hosts", f"{name}=", address) for name, address in container.extra_hosts]
    for attribute, name, address in given:
        try:
            if address != etc.HOST_GATEWAY or attribute == "dns":
                ipaddress.ip_address(address)
        except ValueError:
            hint = f"write {name and 'HOST='}ADDRESS, such as {name}10.0.0.5"
            message = f"container {container.name}: {attribute} {name}{address}: {address} is not an IP address"
            raise FatalError(message, hint=hint) from None


def detach(home: Home, stack: str, container_id: str, directory: str | None = None) -> None:
    """Undo ``attach``: the namespace ends with the container's last process, but its addresses are free at once.

    directory: the container's, None if it is gone.
    Ports and names lose their effect with the next ``apply``.
    """
    path = pin_path(home, container_id)
    with kernel_errors(f"container {container_id} of stack {stack}"):
        if is_pinned(path):
            inside(path, _give_up_connections)
    with kernel_errors(f"container {container_id} of stack {stack}"), lease_file.locked(home) as file:
        # First the record: what it says is missing would be restored.
        if directory is not None:
            attachments.remove(directory)
        unpin_namespace(path)
        remove_shared_directory(home.network_namespaces)
        file.leases = file.leases.without_containers({container_id})


def _give_up_connections() -> None:
    """Closed connections with undelivered data keep a namespace, and so its interfaces, for minutes.

    The container is gone, and perhaps its peers: so they are given up after one attempt, within about a second (tcp(7),
    tcp_orphan_retries).
    """
    whole_files.set("/proc/sys/net/ipv4/tcp_orphan_retries", "1")


def reattach(connection: Netlink, home: Home, leases: Leases, network: str) -> None:
    """Restore the interfaces of every container of the home that is attached to the network.

    Call it with the leases locked. A container that runs keeps its processes, addresses and connections.
    """
    kept = {network: leases.networks[network]}
    ports = {port.number: port for port in connection.links("veth")}
    for stack in sorted(os.listdir(home.stacks_run)) if os.path.isdir(home.stacks_run) else ():
        for entry in attachments.load_all(home.stack(stack)):
            attachment = entry.attachment
            path = attachment.namespace_path
            if path is None or all(interface.network != network for interface in attachment.interfaces):
                continue
            if not is_pinned(path):
                make_shared_directory(home.network_namespaces)
                _pin_again(path, _running(entry.directory))
            link.connect(connection, home, path, attachment.interfaces, kept, ports)


def _pin_again(path: str, pid: int | None) -> None:
    """pid: of the container's first process, None if it does not run."""
    try:
        pin_namespace(path, of=pid)
    except SystemCallError as error:
        if pid is None or error.errno not in (ENOENT, ESRCH):
            raise
        pin_namespace(path)  # it has just ended


def require_namespace(home: Home, attachment: Attachment) -> None:
    """Before a run: the namespace is gone if all processes of a home without root were killed, with its mounts.

    One without interfaces is made anew, others with their networks. Raises TemporaryError until that has been done.
    """
    path = attachment.namespace_path
    if path is None or is_pinned(path):
        return
    if attachment.interfaces or path != pin_path(home, attachment.container_id):
        raise TemporaryError(f"container {attachment.container}: its network namespace is not restored yet")
    make_shared_directory(home.network_namespaces)
    pin_namespace(path)


def _running(directory: str) -> int | None:
    """The first process of the container of this directory, while it runs."""
    process = ContainerDirectory(directory).load_process("state.json")
    return process.pid if process is not None and is_alive(process) else None


def pin_path(home: Home, container_id: str) -> str:
    return f"{home.network_namespaces}/{container_id}"


def pinned_ids(home: Home) -> list[str]:
    """The containers that have a pinned namespace, or are about to."""
    try:
        return os.listdir(home.network_namespaces)
    except FileNotFoundError:
        return []


def _attach_own(home: Home, stack: str, container: ContainerSpec, container_id: str) -> Attachment:
    path = pin_path(home, container_id)
    endpoints = container.endpoints if isinstance(container.network_mode, Own) else ()
    ordered = sorted(endpoints, key=lambda endpoint: (-endpoint.priority, endpoint.network))
    with lease_file.locked(home) as file:
        make_shared_directory(home.network_namespaces)
        # The file exists before the lease: otherwise another process could take the lease for one of a removed
        # container. Opened read-only: a namespace may be pinned over it by now, which cannot be opened for writing.
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        file.leases = _lease(file.leases.of_living(pinned_ids(home)), ordered, container_id)
        leases: dict[str, NetworkLease] = {
            endpoint.network: file.leases.networks[endpoint.network] for endpoint in ordered
        }
    names = names_of(container, container_id) if isinstance(container.network_mode, Own) else ()
    interfaces = interfaces_of(ordered, leases, container.name, container_id, names)
    made = [address for interface in interfaces for address in interface.published_addresses]
    _check_published(container, {family_of(address) for address in made})
    with link.turn, Netlink() as connection:
        pin_namespace(path)
        link.connect(connection, home, path, interfaces, leases)
    hostname = container.hostname or container.name
    addresses = tuple(address for interface in interfaces for address in interface.addresses)
    gateways = (tuple(pool.gateway for pool in lease.pools) for lease in leases.values() if lease.bridge)
    hosts = next(gateways, ("127.0.0.1",))
    extra = etc.with_host_gateway(container.extra_hosts, hosts)
    return Attachment(
        stack=stack,
        service=container.service,
        container=container.name,
        container_id=container_id,
        hostname=hostname,
        namespace_path=path,
        interfaces=interfaces,
        ports=container.ports,
        nameservers=container.dns,
        links=container.external_links,
        resolv_conf=_resolv_conf(container, embedded=bool(interfaces)),
        hosts=etc.render_hosts(hostname, container.domainname, addresses, extra),
        names=names,
    )


def _lease(leases: Leases, endpoints: Sequence[Endpoint], container_id: str) -> Leases:
    for endpoint in endpoints:
        lease = leases.networks.get(endpoint.network)
        if lease is None:
            raise TemporaryError(f"network {endpoint.network} does not exist yet")
        wanted = (endpoint.ipv4_address, endpoint.ipv6_address)
        lease = ipam.lease_address(endpoint.network, lease, container_id, wanted, endpoint.reserved)
        leases = leases.with_network(endpoint.network, lease)
    return leases


def publishers(pairs: Sequence[tuple[Endpoint, NetworkLease]]) -> tuple[Endpoint | None, Endpoint | None]:
    """The endpoints that published ports and the default route lead to, of IPv4 and of IPv6; None if there is none."""
    found = [
        max(
            (
                endpoint
                for endpoint, lease in pairs
                if (pool := (lease.ipv4, lease.ipv6)[place]) and lease.gateway_of(pool)
            ),
            key=lambda endpoint: endpoint.gateway_priority,
            default=None,
        )
        for place in range(2)
    ]
    return found[0], found[1]


def publishing_families(home: Home, container: ContainerSpec) -> tuple[bool, bool]:
    """Whether the container has IPv4, and whether it has IPv6, on a network that ports can be published from.

    A network that does not exist yet has no say.
    """
    leases = lease_file.load(home).networks
    pairs = [(each, leases[each.network]) for each in container.endpoints if each.network in leases]
    ipv4, ipv6 = (each is not None and bool(leases[each.network].bridge) for each in publishers(pairs))
    return ipv4, ipv6


def _check_published(container: ContainerSpec, families: Collection[int]) -> None:
    """Raises FatalError for a port at an address of a family that none of the container's networks has."""
    for port in container.ports:
        if port.host_ip and families and family_of(port.host_ip) not in families:
            version = "v6" if ":" in port.host_ip else "v4"
            what = f"container {container.name}: port {port.target}"
            hint = f"set enable_ip{version}: true on one of them, or publish the port at another address"
            raise FatalError(f"{what}: none of its networks has IP{version} for {port.host_ip}", hint=hint)


def _of_host(stack: str, container: ContainerSpec, container_id: str) -> Attachment:
    _check_ports_of_host(container)
    extra = etc.with_host_gateway(container.extra_hosts, ("127.0.0.1",))
    return Attachment(
        stack=stack,
        service=container.service,
        container=container.name,
        container_id=container_id,
        hostname=container.hostname or os.uname().nodename,
        resolv_conf=_resolv_conf(container, embedded=False),
        hosts=etc.host_hosts() + etc.render_extra(extra),
    )


def _resolv_conf(container: ContainerSpec, *, embedded: bool) -> str:
    """embedded: our own name server answers; otherwise the container asks the servers directly."""
    host = load_resolv_conf()
    search = container.dns_search or host.search
    if embedded:
        return etc.render_resolv_conf((RESOLVER,), search, ("ndots:0", *container.dns_options))
    return etc.render_resolv_conf(container.dns or host.nameservers, search, container.dns_options or host.options)


def _join(home: Home, stack: str, container: ContainerSpec, container_id: str, whose: Joined) -> Attachment:
    """Share the namespace, hosts file and host name of another container."""
    for other in _possible_targets(home, stack, whose):
        if other.namespace_path is None or is_pinned(other.namespace_path):
            return replace(
                other,
                stack=stack,
                service=container.service,
                container=container.name,
                container_id=container_id,
                interfaces=(),
                ports=(),
                names=(),
                left={},
            )
    named = f"service {whose.service}" if isinstance(whose, OfService) else f"container {whose.container}"
    raise TemporaryError(f"container {container.name}: {named}, whose network it shares, is not running yet")


def _possible_targets(home: Home, stack: str, whose: Joined) -> list[Attachment]:
    """Any stack may name a container of the home; a service must be its own."""
    own = [entry.attachment for entry in attachments.load_all(home.stack(stack))]
    if isinstance(whose, OfService):
        return [found for found in own if found.service == whose.service]
    stacks = sorted(set(os.listdir(home.stacks_run)) - {stack}) if os.path.isdir(home.stacks_run) else []
    others = [entry.attachment for name in stacks for entry in attachments.load_all(home.stack(name))]
    return [found for found in (*own, *others) if whose.container in (found.container, found.container_id)]
