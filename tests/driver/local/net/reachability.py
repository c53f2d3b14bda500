"""Who reaches what between containers, the host and another machine: the table that is tested and documented."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Place(Enum):
    """What an address means. The values are for readers; ``{}`` stands for the name of the target."""

    CONTAINER = "container `{}`, at its own address"
    GATEWAY = "the host, at the gateway of the network of `{}`"
    HOST = "the host, at its own address"
    PUBLISHED = "a published port, at the gateway of the network of `{}`"
    PUBLISHED_AT_HOST = "a published port, at the host's own address"
    PUBLISHED_AT_LOOPBACK = "a published port, at the host's loopback"
    LOCAL = "a port published at 127.0.0.1, at the gateway of the network of `{}`"
    LOCAL_AT_HOST = "a port published at 127.0.0.1, at the host's own address"
    LOCAL_AT_LOOPBACK = "a port published at 127.0.0.1, at the host's loopback"
    KEPT = "what the host keeps to its loopback, at the gateway of the network of `{}`"
    KEPT_AT_HOST = "what the host keeps to its loopback, at the host's own address"
    KEPT_AT_LOOPBACK = "what the host keeps to its loopback"
    LAN = "another machine"
    BROADCAST = "all on the network of `{}`, by broadcast"
    MULTICAST = "all on other networks, by multicast"


class Row(NamedTuple):
    """arrives: the sites where it arrives; bare: the same when the rules are lost. versions: of the Internet Protocol.

    Without the rules what the host answers does not enter a network either, so that no connection is made there.
    """

    sources: tuple[str, ...]
    protocols: tuple[str, ...]
    place: Place
    name: str
    arrives: tuple[str, ...]
    bare: tuple[str, ...]
    versions: tuple[int, ...] = (4, 6)


SITES = {
    "web": "publishes ports, on network `front`",
    "near": "on network `front` too",
    "back": "on network `back` of the same stack",
    "other": "on a network of another stack",
    "inner": "on an `internal` network, with a route that it added itself",
    "inner2": "on the network of `inner` too",
    "last": "on another `internal` network",
    "host": "the machine of the stacks",
    "lan": "another machine, which routes to the networks of the stacks by the host",
}
NOWHERE: tuple[str, ...] = ()
WEB, HOST = ("web",), ("host",)
ORDINARY, INTERNAL = ("near", "back", "other"), ("inner", "last")
CONTAINERS = (*ORDINARY, *INTERNAL)
TRANSPORTS = ("tcp", "udp")
DATAGRAMS = ("udp", "icmp")
ALL = (*TRANSPORTS, "icmp")

TABLE = (
    # A container at its own address: from its network and from the host only.
    Row(("near",), ALL, Place.CONTAINER, "web", WEB, WEB),
    Row(("back", *INTERNAL, "other", "lan"), ALL, Place.CONTAINER, "web", NOWHERE, NOWHERE),
    Row((*ORDINARY, "last", "lan"), ALL, Place.CONTAINER, "inner", NOWHERE, NOWHERE),
    Row(("inner",), ALL, Place.CONTAINER, "inner2", ("inner2",), ("inner2",)),
    Row(("near", *INTERNAL, "other", "lan"), ALL, Place.CONTAINER, "back", NOWHERE, NOWHERE),
    Row(("near", "back", *INTERNAL, "lan"), ALL, Place.CONTAINER, "other", NOWHERE, NOWHERE),
    Row((*ORDINARY, "inner", "lan"), ALL, Place.CONTAINER, "last", NOWHERE, NOWHERE),
    *(Row(HOST, ALL, Place.CONTAINER, name, (name,), NOWHERE) for name in ("web", "inner", "other")),
    # The host, at the gateway of the sender's network, at another network's and at its own address.
    *(Row((name,), DATAGRAMS, Place.GATEWAY, name, HOST, HOST) for name in ORDINARY),
    *(Row((name,), ("tcp",), Place.GATEWAY, name, HOST, NOWHERE) for name in ORDINARY),
    *(Row((name,), DATAGRAMS, Place.GATEWAY, name, NOWHERE, HOST) for name in INTERNAL),
    *(Row((name,), ("tcp",), Place.GATEWAY, name, NOWHERE, NOWHERE) for name in INTERNAL),
    Row(ORDINARY, DATAGRAMS, Place.HOST, "", HOST, HOST),
    Row(INTERNAL, ALL, Place.HOST, "", NOWHERE, NOWHERE),
    Row(INTERNAL, ALL, Place.GATEWAY, "web", NOWHERE, NOWHERE),
    Row(("lan",), ALL, Place.GATEWAY, "web", HOST, HOST),
    Row(("lan",), ALL, Place.HOST, "", HOST, HOST),
    *(Row((name,), TRANSPORTS, Place.KEPT, name, NOWHERE, NOWHERE) for name in CONTAINERS),
    Row((*CONTAINERS, "lan"), TRANSPORTS, Place.KEPT_AT_HOST, "", NOWHERE, NOWHERE),
    Row(HOST, TRANSPORTS, Place.KEPT_AT_LOOPBACK, "", HOST, HOST),
    # A published port: from everywhere but internal networks.
    *(Row(ORDINARY, TRANSPORTS, Place.PUBLISHED, name, WEB, NOWHERE) for name in ("web", "back", "other", "inner")),
    *(Row(INTERNAL, TRANSPORTS, Place.PUBLISHED, name, NOWHERE, NOWHERE) for name in ("web", "back", "inner", "last")),
    Row((*ORDINARY, "lan", "host"), TRANSPORTS, Place.PUBLISHED_AT_HOST, "", WEB, NOWHERE),
    Row(INTERNAL, TRANSPORTS, Place.PUBLISHED_AT_HOST, "", NOWHERE, NOWHERE),
    Row(("lan", "host"), TRANSPORTS, Place.PUBLISHED, "web", WEB, NOWHERE),
    Row(HOST, TRANSPORTS, Place.PUBLISHED_AT_LOOPBACK, "", WEB, NOWHERE, (4,)),
    # The kernel forwards nothing from ::1.
    Row(HOST, TRANSPORTS, Place.PUBLISHED_AT_LOOPBACK, "", NOWHERE, NOWHERE, (6,)),
    # A port published at 127.0.0.1: from the host only.
    Row(HOST, TRANSPORTS, Place.LOCAL_AT_LOOPBACK, "", WEB, NOWHERE, (4,)),
    Row((*CONTAINERS, "lan"), TRANSPORTS, Place.LOCAL_AT_HOST, "", NOWHERE, NOWHERE),
    Row((*CONTAINERS, "lan"), TRANSPORTS, Place.LOCAL, "web", NOWHERE, NOWHERE),
    # Out of the host.
    Row(ORDINARY, DATAGRAMS, Place.LAN, "", ("lan",), ("lan",)),
    Row(ORDINARY, ("tcp",), Place.LAN, "", ("lan",), NOWHERE),
    Row(INTERNAL, ALL, Place.LAN, "", NOWHERE, NOWHERE),
    # To all on a network, from there and from elsewhere: never across.
    Row(("near",), ("udp",), Place.BROADCAST, "web", ("host", "near", "web"), ("host", "near", "web"), (4,)),
    Row(("back", "other", "lan"), ("udp",), Place.BROADCAST, "web", HOST, HOST, (4,)),
    Row(("inner",), ("udp",), Place.BROADCAST, "web", NOWHERE, NOWHERE, (4,)),
    Row(
        ("inner",),
        ("udp",),
        Place.BROADCAST,
        "inner",
        ("inner", "inner2"),
        ("host", "inner", "inner2"),
        (4,),
    ),
    Row(("near", "inner", "other", "lan"), ("udp",), Place.MULTICAST, "", NOWHERE, NOWHERE),
)
