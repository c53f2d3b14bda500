"""Gates: what the kernel lets pass between a network and the host when every firewall rule is gone.

A published port on 127.0.0.1 needs ``route_localnet`` on the bridge, and containers need forwarding. Both are settings
that stay when the ruleset is flushed. So interfaces carry filters of their own, which the flush does not reach:

- from a container nothing comes to or from 127.0.0.0/8, and no ICMP redirect. Its interface checks this, and not the
  bridge, where br_netfilter has translated back the answers to connections from 127.0.0.1 already;
- the host takes only ARP and IPv4 from the bridge; from an internal network only what is sent to the host's own address
  there, or to all hosts on the network;
- what the host sends into the network needs ``ADMITTED``, the mark that the stack's rules give to permitted packets.
  Without the rules no packet has it, and the network is closed. Where containers of a network must not reach each
  other, each container's interface also takes only what bears the mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.linux.network.traffic_control import (
    DROP,
    ETH_P_ARP,
    ETH_P_IP,
    MARK,
    NETWORK,
    PASS,
    PROTOCOL,
    Direction,
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
    from collections.abc import Mapping
    from ipaddress import IPv4Interface

    from orchestra.linux.network.netlink import Netlink
    from orchestra.linux.network.netlink_message import Request
    from orchestra.linux.network.traffic_control import Instruction

ADMITTED = 0x6F726368
"""The mark of packets that the rules admit, set after every other rule and compared as a whole."""
PRIORITY = 1
BATCH = 32
"""Questions in one datagram: the answers must fit into the buffer of a socket."""

_LOOPBACK = 127 << 24
_MULTICAST = 0b111 << 29
_FRAGMENT_OFFSET = 0x1FFF
_SOURCE, _DESTINATION, _NEXT, _FLAGS = NETWORK + 12, NETWORK + 16, NETWORK + 9, NETWORK + 6
_ICMP, _REDIRECT = 1, 5

# The comments number the instructions, for the jumps.
FROM_CONTAINER = (
    load_word(PROTOCOL),  # 0
    jump_if_equal(ETH_P_IP, 0, 13),  # 1, else to 15
    load_word(_DESTINATION),  # 2
    mask(0xFF000000),  # 3
    jump_if_equal(_LOOPBACK, 11, 0),  # 4, to 16
    load_word(_SOURCE),  # 5
    mask(0xFF000000),  # 6
    jump_if_equal(_LOOPBACK, 8, 0),  # 7, to 16
    load_byte(_NEXT),  # 8
    jump_if_equal(_ICMP, 0, 5),  # 9, else to 15
    load_half(_FLAGS),  # 10
    jump_if_any_bit(_FRAGMENT_OFFSET, 3, 0),  # 11, to 15
    take_header_length(NETWORK),  # 12
    load_byte_after_header(NETWORK),  # 13
    jump_if_equal(_REDIRECT, 1, 0),  # 14, to 16
    verdict(PASS),  # 15
    verdict(DROP),  # 16
)
# This drops IPv6, and tags within tags, which the kernel removes only later.
FROM_NETWORK = (
    load_word(PROTOCOL),
    jump_if_equal(ETH_P_ARP, 1, 0),
    jump_if_equal(ETH_P_IP, 0, 1),
    verdict(PASS),
    verdict(DROP),
)
INTO_NETWORK = (
    load_word(PROTOCOL),
    jump_if_equal(ETH_P_IP, 0, 2),
    load_word(MARK),
    jump_if_equal(ADMITTED, 0, 1),
    verdict(PASS),
    verdict(DROP),
)


def from_internal(network: IPv4Interface) -> tuple[Instruction, ...]:
    """``FROM_NETWORK`` of an internal network, on which the host has this address."""
    broadcast = int(network.network.broadcast_address)
    return (
        load_word(PROTOCOL),
        jump_if_equal(ETH_P_ARP, 6, 0),
        jump_if_equal(ETH_P_IP, 0, 6),
        load_word(_DESTINATION),
        jump_if_equal(int(network.ip), 3, 0),
        jump_if_equal(broadcast, 2, 0),
        mask(_MULTICAST),  # 255.255.255.255 begins so, too
        jump_if_equal(_MULTICAST, 0, 1),
        verdict(PASS),
        verdict(DROP),
    )


def gate_of_bridge(link: int, name: str, internal: IPv4Interface | None = None) -> tuple[Request, ...]:
    """Requests that give a bridge its gate, or restore it. internal: the host's address on an internal network."""
    from_network = FROM_NETWORK if internal is None else from_internal(internal)
    return (
        new_clsact(link, name),
        set_filter(link, name, Direction.INGRESS, PRIORITY, from_network),
        set_filter(link, name, Direction.EGRESS, PRIORITY, INTO_NETWORK),
    )


def gate_of_port(link: int, name: str, *, takes_all: bool) -> tuple[Request, ...]:
    """The same for the host's end of a container's interface.

    takes_all: the container gets everything that is sent to it within the network; otherwise only what the rules admit.
    """
    requests = (new_clsact(link, name), set_filter(link, name, Direction.INGRESS, PRIORITY, FROM_CONTAINER))
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
