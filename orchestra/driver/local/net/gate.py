"""Gates: what the kernel lets pass between a network and the host when every firewall rule is gone.

A published port on 127.0.0.1 needs ``route_localnet`` on the bridge, and containers need forwarding. Both are settings
that stay when the ruleset is flushed. So interfaces carry filters of their own, which the flush does not reach:

- from a container nothing comes to or from 127.0.0.0/8 and ::1, and no ICMP redirect. Its interface checks this, and
  not the bridge, where br_netfilter has translated back the answers to connections from 127.0.0.1 already. In IPv6 a
  container also speaks only for its own addresses, and never as a router;
- the host takes only ARP, IPv4 and IPv6 from the bridge, if the network has them; from an internal network only what is
  sent to the host's own address there, or to all hosts on the network;
- what the host sends into the network needs ``ADMITTED``, the mark that the stack's rules give to permitted packets.
  Without the rules no packet has it, and the network is closed. Where containers of a network must not reach each
  other, each container's interface also takes only what bears the mark.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from orchestra.linux.network.traffic_control import (
    DROP,
    ETH_P_8021AD,
    ETH_P_8021Q,
    ETH_P_ARP,
    ETH_P_IP,
    ETH_P_IPV6,
    MARK,
    NETWORK,
    PASS,
    PROTOCOL,
    Direction,
    Step,
    assemble,
    get_filter,
    jump_if_any_bit,
    jump_if_equal,
    load_byte,
    load_byte_after_header,
    load_half,
    load_word,
    mask,
    new_clsact,
    set_filter,
    take_header_length,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from ipaddress import IPv4Interface, IPv6Interface

    from orchestra.linux.network.netlink import Netlink
    from orchestra.linux.network.netlink_message import Request
    from orchestra.linux.network.traffic_control import Instruction

ADMITTED = 0x6F726368
"""The mark of packets that the rules admit, set after every other rule and compared as a whole."""
PRIORITY = 1
BATCH = 32
"""Questions in one datagram: the answers must fit into the buffer of a socket."""

_LOOPBACK, _LOOPBACK_IPV6 = 127 << 24, (0, 0, 0, 1)
_MULTICAST, _MULTICAST_IPV6 = 0b111 << 29, 0xFF << 24
_FRAGMENT_OFFSET = 0x1FFF
_SOURCE, _DESTINATION, _NEXT, _FLAGS = NETWORK + 12, NETWORK + 16, NETWORK + 9, NETWORK + 6
_ICMP, _REDIRECT = 1, 5
# Of IPv6 (RFC 8200 section 3), of the headers that follow, and of neighbour discovery (RFC 4861 section 4).
_IPV6_NEXT, _IPV6_SOURCE, _IPV6_DESTINATION, _IPV6_BODY = (NETWORK + at for at in (6, 8, 24, 40))
_OPTIONS, _ROUTING, _FRAGMENT, _ICMPV6, _DESTINATION_OPTIONS = 0, 43, 44, 58, 60
_IPV6_FRAGMENT_OFFSET = 0xFFF8
_ROUTER, _SOLICITATION, _ADVERTISEMENT, _ICMPV6_REDIRECT = 134, 135, 136, 137
_NEIGHBOUR_TARGET = _IPV6_BODY + 8


def from_container(addresses: Sequence[str]) -> tuple[Instruction, ...]:
    """What a container may send. addresses: its own of IPv6, on a network that has it.

    With IPv6, it speaks for these addresses only: as the source of a packet and in neighbour discovery, and it is no
    router. Other headers could hide such a message. So only a report of multicast groups may follow options (RFC 3810
    section 5), and no neighbour discovery comes in fragments (RFC 6980): the container that receives it could not tell,
    since br_netfilter puts fragments together on the way.
    """
    return assemble(
        (
            Step(load_word(PROTOCOL)),
            # Tags within tags, which the kernel of a neighbour removes only later, could hide IPv6.
            *_jumps(((ETH_P_8021Q, "drop"), (ETH_P_8021AD, "drop"), (ETH_P_IPV6, "ipv6")) if addresses else ()),
            Step(jump_if_equal(ETH_P_IP, 0, 0), "ipv4", "pass"),
            Step(load_word(_DESTINATION), label="ipv4"),
            Step(mask(0xFF000000)),
            Step(jump_if_equal(_LOOPBACK, 0, 0), "drop"),
            Step(load_word(_SOURCE)),
            Step(mask(0xFF000000)),
            Step(jump_if_equal(_LOOPBACK, 0, 0), "drop"),
            Step(load_byte(_NEXT)),
            Step(jump_if_equal(_ICMP, 0, 0), "", "pass"),
            Step(load_half(_FLAGS)),
            Step(jump_if_any_bit(_FRAGMENT_OFFSET, 0, 0), "pass"),
            Step(take_header_length(NETWORK)),
            Step(load_byte_after_header(NETWORK)),
            Step(jump_if_equal(_REDIRECT, 0, 0), "drop", "pass"),
            *(_ipv6_from_container(addresses) if addresses else ()),
            *_VERDICTS,
        )
    )


def _ipv6_from_container(addresses: Sequence[str]) -> Iterator[Step]:
    yield Step(load_byte(_IPV6_NEXT), label="ipv6")
    yield from _jumps(((_ROUTING, "drop"), (_DESTINATION_OPTIONS, "drop")))
    yield from _compare(_IPV6_DESTINATION, (_LOOPBACK_IPV6,), "to", "drop", "from0")
    # A node without an address yet asks whether another has the one it wants (RFC 4862 section 5.4.2).
    own = [(0, 0, 0, 0), *map(_words, addresses)]
    yield from _compare(_IPV6_SOURCE, own, "from", "body", "drop")
    yield Step(load_byte(_IPV6_NEXT), label="body")
    yield from _jumps(((_ICMPV6, "icmpv6"), (_OPTIONS, "options")))
    yield Step(jump_if_equal(_FRAGMENT, 0, 0), "", "pass")
    yield Step(load_byte(_IPV6_BODY))
    yield from _jumps((header, "drop") for header in (_OPTIONS, _ROUTING, _FRAGMENT, _DESTINATION_OPTIONS))
    yield Step(jump_if_equal(_ICMPV6, 0, 0), "", "pass")
    yield Step(load_half(_IPV6_BODY + 2))
    yield Step(jump_if_any_bit(_IPV6_FRAGMENT_OFFSET, 0, 0), "pass", "discovery")
    yield Step(load_half(_IPV6_BODY), label="options")
    yield Step(jump_if_equal(_ICMPV6 << 8, 0, 0), "", "drop")  # eight bytes of options, then ICMPv6
    yield Step(load_byte(_IPV6_BODY + 8), label="discovery")
    yield from _jumps((kind, "drop") for kind in (_ROUTER, _SOLICITATION, _ADVERTISEMENT))
    yield Step(jump_if_equal(_ICMPV6_REDIRECT, 0, 0), "drop", "pass")
    yield Step(load_byte(_IPV6_BODY), label="icmpv6")
    yield from _jumps(((_ROUTER, "drop"), (_ICMPV6_REDIRECT, "drop")))
    yield Step(jump_if_equal(_ADVERTISEMENT, 0, 0), "", "pass")
    yield from _compare(_NEIGHBOUR_TARGET, own[1:], "about", "pass", "drop")


def from_network(addresses: Sequence[IPv4Interface | IPv6Interface], *, internal: bool) -> tuple[Instruction, ...]:
    """What the host takes from a network on which it has these addresses: IPv4 with ARP if one is of it, and IPv6.

    Tags within tags, which the kernel removes only later, are dropped with everything else.
    """
    ipv4 = next((address for address in addresses if address.version == 4), None)
    ipv6 = [_words(str(address.ip)) for address in addresses if address.version == 6]
    steps = [Step(load_word(PROTOCOL))]
    if ipv4 is not None:
        steps.append(Step(jump_if_equal(ETH_P_ARP, 0, 0), "pass"))
        steps.append(Step(jump_if_equal(ETH_P_IP, 0, 0), "ipv4" if internal else "pass"))
    if ipv6:
        steps.append(Step(jump_if_equal(ETH_P_IPV6, 0, 0), "ipv6" if internal else "pass"))
    steps.append(_go("drop"))
    if internal and ipv4 is not None:
        steps.append(Step(load_word(_DESTINATION), label="ipv4"))
        steps += _jumps(((int(ipv4.ip), "pass"), (int(ipv4.network.broadcast_address), "pass")))
        steps.append(Step(mask(_MULTICAST)))  # 255.255.255.255 begins so, too
        steps.append(Step(jump_if_equal(_MULTICAST, 0, 0), "pass", "drop"))
    if internal and ipv6:
        steps.append(Step(load_word(_IPV6_DESTINATION), label="ipv6"))
        steps.append(Step(mask(_MULTICAST_IPV6)))
        steps.append(Step(jump_if_equal(_MULTICAST_IPV6, 0, 0), "pass"))
        steps += _compare(_IPV6_DESTINATION, ipv6, "to", "pass", "drop")
    return assemble((*steps, *_VERDICTS))


def _go(label: str) -> Step:
    return Step(jump_if_equal(0, 0, 0), label, label)


def _words(address: str) -> tuple[int, ...]:
    return struct.unpack("!4I", socket.inet_pton(socket.AF_INET6, address))


def _jumps(cases: Iterable[tuple[int, str]]) -> Iterator[Step]:
    return (Step(jump_if_equal(value, 0, 0), label) for value, label in cases)


def _compare(offset: int, wanted: Sequence[Sequence[int]], name: str, found: str, otherwise: str) -> Iterator[Step]:
    """Compare the IPv6 address at ``offset`` with others, and go to ``found`` or ``otherwise``.

    The labels of these steps are ``name`` with a number, from 0.
    """
    for number, words in enumerate(wanted):
        following = f"{name}{number + 1}" if number + 1 < len(wanted) else otherwise
        for place, word in enumerate(words):
            yield Step(load_word(offset + 4 * place), label="" if place else f"{name}{number}")
            yield Step(jump_if_equal(word, 0, 0), found if place == len(words) - 1 else "", following)


_VERDICTS = (Step(verdict(PASS), label="pass"), Step(verdict(DROP), label="drop"))
# What the host itself says about neighbours passes, like ARP: a router forwards nothing with a hop limit of 255.
INTO_NETWORK = assemble(
    (
        Step(load_word(PROTOCOL)),
        Step(jump_if_equal(ETH_P_IP, 0, 0), "marked"),
        Step(jump_if_equal(ETH_P_IPV6, 0, 0), "", "pass"),
        Step(load_half(_IPV6_NEXT)),  # and the hop limit
        Step(jump_if_equal(_ICMPV6 << 8 | 255, 0, 0), "", "marked"),
        Step(load_byte(_IPV6_BODY)),
        *_jumps(((_SOLICITATION, "pass"), (_ADVERTISEMENT, "pass"))),
        Step(load_word(MARK), label="marked"),
        Step(jump_if_equal(ADMITTED, 0, 0), "pass", "drop"),
        *_VERDICTS,
    )
)


def gate_of_bridge(
    link: int, name: str, addresses: Sequence[IPv4Interface | IPv6Interface], *, internal: bool
) -> tuple[Request, ...]:
    """Requests that give a bridge its gate, or restore it. addresses: the host's on the network."""
    return (
        new_clsact(link, name),
        set_filter(link, name, Direction.INGRESS, PRIORITY, from_network(addresses, internal=internal)),
        set_filter(link, name, Direction.EGRESS, PRIORITY, INTO_NETWORK),
    )


def gate_of_port(link: int, name: str, addresses: Sequence[str], *, takes_all: bool) -> tuple[Request, ...]:
    """The same for the host's end of a container's interface. addresses: as of ``from_container``.

    takes_all: the container gets everything that is sent to it within the network; otherwise only what the rules admit.
    """
    requests = (new_clsact(link, name), set_filter(link, name, Direction.INGRESS, PRIORITY, from_container(addresses)))
    return requests if takes_all else (*requests, set_filter(link, name, Direction.EGRESS, PRIORITY, INTO_NETWORK))


def has_gate(connection: Netlink, link: int, name: str) -> bool:
    """Whether a bridge has both of its filters."""
    try:
        connection.send(*(get_filter(link, name, direction, PRIORITY) for direction in Direction))
    except OSError:
        return False
    return True


def ports_without_gate(connection: Netlink, ports: Mapping[int, str]) -> list[int]:
    """Those of these host's ends of containers' interfaces, by number, that lack their filter."""
    numbers = list(ports)
    lacking: list[int] = []
    for batch in (numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)):
        try:
            connection.send(*(get_filter(number, ports[number], Direction.INGRESS, PRIORITY) for number in batch))
        except OSError:
            lacking += [number for number in batch if not _has_filter(connection, number, ports[number])]
    return lacking


def _has_filter(connection: Netlink, number: int, name: str) -> bool:
    try:
        connection.send(get_filter(number, name, Direction.INGRESS, PRIORITY))
    except OSError:
        return False
    return True
