"""Host ports, reserved for as long as they are published.

The kernel's rules lead a published port to its container without any socket. A socket that is bound but never listens
keeps other programs from taking the port, and finds out beforehand whether one of them has it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from typing import TYPE_CHECKING

from orchestra.driver.local.net.attachment import load_all
from orchestra.driver.local.net.remembered_ports import RememberedPorts
from orchestra.engine.driver import PortReserved, PortUnavailable
from orchestra.home import is_rootless
from orchestra.linux.network.netlink import family_of
from orchestra.named_tuple import NamedTuple
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from orchestra.home import Home
    from orchestra.model.container import Port

TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM, "sctp": socket.SOCK_STREAM}
PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP, "sctp": socket.IPPROTO_SCTP}
UNSUPPORTED = frozenset({errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT})
ANY, ANY_IPV6 = "0.0.0.0", "::"
EVERY_ADDRESS = frozenset({"", ANY, ANY_IPV6})
"""What stands for every address of the host, of the family it belongs to; without one that is IPv4."""
LOOPBACK_IPV6 = "::1"
"""No answer could come back to it: the kernel takes packets for this address from no interface (RFC 4291, 2.5.3)."""
NUMBERS_TRIED = 16


HostPort = tuple[str, str, int | None]


def host_port(port: Port) -> HostPort:
    """Protocol, address and number: what two ports may not have in common."""
    return port.protocol, port.host_ip or ANY, port.published


class Held(NamedTuple):
    """What a container has reserved: the port as asked for, as published, and the socket that reserves it.

    sharing: containers that give the same word share a host port that they ask for by number.
    """

    asked: Port
    port: Port
    socket: socket.socket
    sharing: str = ""


class PortReservations:
    """The published ports of one supervisor, by container. May be used by several threads at once.

    publisher: names the container of this home that has published a port; '' if none has. remembered: what automatic
    ports were replaced by before. regain: a socket that still holds the port for this stack, from before.
    """

    def __init__(
        self,
        publisher: Callable[[Port], str] = lambda _: "",
        remembered: RememberedPorts | None = None,
        regain: Callable[[Port], socket.socket | None] = lambda _: None,
    ) -> None:
        self._publisher = publisher
        self._regain = regain
        self._remembered = remembered or RememberedPorts()
        self._lock = threading.Lock()
        self._held: dict[str, list[Held]] = {}

    def reserve(
        self,
        container: str,
        ports: Sequence[Port],
        families: tuple[bool, bool] = (True, False),
        *,
        sharing: str = "",
    ) -> tuple[Port, ...]:
        """Reserve exactly these ports for the container. Returns them in the same order, with every host port chosen.

        families: whether ports that name no address are published for IPv4, and for IPv6; for both they become two
        with the same host port. A port that was asked for before keeps its host port. sharing: see ``Held``. All or
        nothing: raises PortUnavailable if one is in use.
        """
        with self._lock:
            before = {(held.asked, held.port): held for held in self._held.get(container, ())}
            taken: list[Held] = []
            fresh: list[socket.socket] = []
            try:
                for port in ports:
                    parts = of_families(port, families)
                    keys = [key for part in parts for key in before if part in key][: len(parts)]
                    if len(keys) == len(parts):
                        taken += [before.pop(key) for key in keys]
                        continue
                    if any(_overlaps(part, other.port) for part in parts for other in taken):
                        raise _in_use(port, "another port of the same service")
                    shared = self._share(parts, sharing) if sharing else []
                    holders = shared or self._bind_again(port, parts) or self._bind_all(parts)
                    fresh += holders
                    number = holders[0].getsockname()[1]
                    for part, holder in zip(parts, holders, strict=True):
                        own = replace(part, published=number, automatic=False)
                        taken.append(Held(part, own, holder, sharing))
                    if port.automatic and number != port.published:
                        self._remembered.store(port, number)
            except BaseException:
                for holder in fresh:
                    holder.close()
                raise
            for held in before.values():
                held.socket.close()
            self._held[container] = taken
            return tuple(held.port for held in taken)

    def check(self, ports: Iterable[Port], families: tuple[bool, bool] = (True, False)) -> None:
        """Raise PortUnavailable for the first port that another program or another stack uses now. Reserves nothing."""
        with self._lock:
            held = [held.port for ports_held in self._held.values() for held in ports_held]
            for port in ports:
                if not any(_overlaps(port, other) for other in held):
                    for part in of_families(port, families):
                        self._bind(part).close()

    def release(self, container: str) -> None:
        """Release the container's ports; does nothing if it has none."""
        with self._lock:
            for held in self._held.pop(container, ()):
                held.socket.close()

    def close(self) -> None:
        """Release everything."""
        for container in list(self._held):
            self.release(container)

    def holds(self, container: str) -> bool:
        """Whether something was reserved for the container, and not released."""
        return container in self._held

    def sockets(self) -> dict[HostPort, socket.socket]:
        """What holds each port that is reserved now."""
        with self._lock:
            return {host_port(held.port): held.socket for all_held in self._held.values() for held in all_held}

    def is_shared(self, container: str) -> bool:
        """Whether other containers have one of its host ports, too."""
        with self._lock:
            others = [held for name, all_held in self._held.items() if name != container for held in all_held]
            own = self._held.get(container, ())
            return any(_overlaps(held.port, other.port) for held in own for other in others)

    def _share(self, parts: Sequence[Port], sharing: str) -> list[socket.socket]:
        """The sockets of another container that shares what it has reserved; none if there is none."""
        for held in self._held.values():
            found = [each for part in parts for each in held if each.sharing == sharing and _asks_alike(part, each)]
            if parts[0].published and len(found) == len(parts):
                return [each.socket.dup() for each in found]
        return []

    def _bind_again(self, port: Port, parts: Sequence[Port]) -> list[socket.socket]:
        """Bind what took the place of an automatic port before, if that is still free; otherwise nothing."""
        known = self._remembered.find(port) if port.automatic else None
        if known is not None:
            with contextlib.suppress(OSError):
                return _bind_each([replace(part, published=known) for part in parts])
        return []

    def _bind_all(self, parts: Sequence[Port]) -> list[socket.socket]:
        """Bind all parts of a port to one number. Raises PortUnavailable."""
        first, *others = parts
        for tries_left in reversed(range(NUMBERS_TRIED)):
            with contextlib.ExitStack() as bound:
                holders = [bound.enter_context(self._bind(first))]
                number = holders[0].getsockname()[1]
                try:
                    for part in others:
                        fixed = replace(part, published=number, automatic=False)
                        holders.append(bound.enter_context(self._bind(fixed)))
                except PortUnavailable:
                    if not tries_left or (number == first.published and not first.automatic):
                        raise
                    first = replace(first, published=None, automatic=False)
                    continue
                bound.pop_all()
                return holders
        raise AssertionError("the last try returns or raises")

    def _bind(self, port: Port) -> socket.socket:
        try:
            return bind(port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise _refused(port, error) from None
        for container, held in self._held.items():
            if any(_overlaps(port, other.port) for other in held):
                raise _in_use(port, f"container {container} of the same stack")
        if (regained := self._regain(port)) is not None:
            return regained
        if port.automatic:
            return self._bind(replace(port, published=None, automatic=False))
        if owner := _owner(port) or self._publisher(port):
            raise _in_use(port, owner)
        raise _in_use(port, "another program", PortReserved)


def find_publisher(home: Home, port: Port) -> str:
    """The container, of any stack of this home, that has published the port; '' if none has.

    Sockets that only reserve a port are in none of the kernel's tables.
    """
    with contextlib.suppress(FileNotFoundError):
        for stack in sorted(os.listdir(home.stacks_run)):
            for attached in load_all(home.stack(stack)):
                if any(_overlaps(port, other) for other in attached.attachment.ports):
                    return f"container {os.path.basename(attached.directory)} of stack {stack}"
    return ""


def bind(port: Port) -> socket.socket:
    """A socket bound to the host port; to any free one if ``published`` is None. Raises OSError, PortUnavailable."""
    if port.host_ip == LOOPBACK_IPV6:
        hint = "publish it at 127.0.0.1"
        raise PortUnavailable(f"port {_text(port)}: the kernel forwards nothing from ::1", hint, port.location)
    if not is_rootless(os.environ):
        return _bind(port)
    from orchestra.rootless.host_network import in_host_network

    if port.protocol == "sctp":
        hint = "publish it by another protocol, or run the stack as root"
        raise PortUnavailable(f"port {_text(port)}: without root, no SCTP leads to containers", hint, port.location)
    return in_host_network(_bind, port)


def _bind(port: Port) -> socket.socket:
    family = family_of(port.host_ip)
    try:
        holder = socket.socket(family, TYPES[port.protocol] | socket.SOCK_CLOEXEC, PROTOCOLS[port.protocol])
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        hint = f"load its module, modprobe {port.protocol}, or publish the port by another protocol"
        raise PortUnavailable(f"port {_text(port)}: the kernel has no {port.protocol}", hint, port.location) from None
    try:
        if family == socket.AF_INET6:
            holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        address = (port.host_ip or ANY, port.published or 0)
        try:
            holder.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port.protocol != "tcp":
                raise
            # Ended connections of an earlier server may linger on the port (TIME_WAIT): SO_REUSEADDR ignores those.
            # It is unset afterwards, so that other sockets do not ignore this one.
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(address)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except BaseException:
        holder.close()
        raise
    return holder


def of_families(port: Port, families: tuple[bool, bool]) -> tuple[Port, ...]:
    """The port as it is published: one that names no address, at every address of these families."""
    if port.host_ip or not families[1]:
        return (port,)
    hosts = [host for host, has in zip((ANY, ANY_IPV6), families, strict=True) if has]
    return tuple(replace(port, host_ip=host) for host in hosts)


def _bind_each(ports: Sequence[Port]) -> list[socket.socket]:
    """All or nothing. Raises OSError."""
    with contextlib.ExitStack() as bound:
        holders = [bound.enter_context(bind(port)) for port in ports]
        bound.pop_all()
    return holders


def _overlaps(port: Port, other: Port) -> bool:
    same = (port.protocol, port.published) == (other.protocol, other.published)
    addresses = {port.host_ip or ANY, other.host_ip or ANY}
    families = {":" in address for address in addresses}
    return same and len(families) == 1 and (len(addresses) == 1 or not addresses.isdisjoint(EVERY_ADDRESS))


def _asks_alike(part: Port, held: Held) -> bool:
    """Whether it is asked for as that was, or is what that was given."""
    asked = [(each.published, each.host_ip, each.protocol) for each in (held.asked, held.port)]
    return (part.published, part.host_ip, part.protocol) in asked


def _text(port: Port) -> str:
    return f"{port.published or 'any'}/{port.protocol} on {port.host_ip or ANY}"


def _in_use(port: Port, owner: str, error: type[PortUnavailable] = PortUnavailable) -> PortUnavailable:
    other = f"publish another port: '{(port.published or 0) + 1}:{port.target}'"
    hint = f"stop it, {other}, or let Orchestra choose a free one: up --ports auto"
    return error(f"port {_text(port)} is already in use by {owner}", hint, port.location)


def _refused(port: Port, error: OSError) -> PortUnavailable:
    hints = {
        errno.EADDRNOTAVAIL: "no network interface of this machine has that address",
        errno.EACCES: "ports below net.ipv4.ip_unprivileged_port_start need root",
    }
    hint = hints.get(error.errno or 0, "check that the address is one of this machine")
    return PortUnavailable(f"port {_text(port)} cannot be published: {error.strerror or error}", hint, port.location)


def _owner(port: Port) -> str:
    """The process that uses the port, as ``name (pid 7)``; '' if it cannot be seen."""
    if is_rootless(os.environ):
        from orchestra.rootless.host_network import in_host_network

        inodes = in_host_network(_inodes, port)
    else:
        inodes = _inodes(port)
    if not inodes:
        return ""
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{descriptor}") in inodes:
                    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                        return f"{file.read().strip()} (pid {pid})"
    return ""


def _inodes(port: Port) -> set[str]:
    """The sockets on the port, as /proc/PID/fd shows them (proc(5), /proc/net/tcp)."""
    if port.protocol == "sctp":
        return {f"socket:[{row[7]}]" for row in _rows("sctp/eps") if int(row[5]) == port.published}
    rows = [row for table in (port.protocol, f"{port.protocol}6") for row in _rows(table)]
    return {f"socket:[{row[9]}]" for row in rows if int(row[1].rpartition(":")[2], 16) == port.published}


def _rows(table: str) -> list[list[str]]:
    """Without the headings; none if the kernel has no such table."""
    with contextlib.suppress(FileNotFoundError), open(f"/proc/thread-self/net/{table}", encoding="ascii") as file:
        return [line.split() for line in file][1:]
    return []
