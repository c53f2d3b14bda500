"""The two tasks of nf_tables that every container needs, as raw nfnetlink messages (linux/netfilter/nf_tables.h).

They are the redirection for its name server, and the question whether a table exists. Rule sets are left to
``libnftables``.
"""

from __future__ import annotations

import errno
import socket
import struct

from orchestra.linux.network.netlink_message import (
    NETLINK_CAP_ACK,
    NETLINK_EXT_ACK,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    SOL_NETLINK,
    Request,
    attribute,
    nested,
    parse_error,
    parse_messages,
    render_message,
    text,
)
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

NETLINK_NETFILTER = 12
NFNL_SUBSYS_NFTABLES, NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 10, 0x10, 0x11
NFT_MSG_NEWTABLE, NFT_MSG_GETTABLE, NFT_MSG_DELTABLE, NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE = 0, 1, 2, 3, 6
NLM_F_APPEND = 0x800

NFTA_TABLE_NAME = 1
NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_TYPE = 1, 3, 4, 7
NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY = 1, 2
NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST = 3, -100
NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_EXPRESSIONS = 1, 2, 4
NFTA_LIST_ELEM, NFTA_EXPR_NAME, NFTA_EXPR_DATA, NFTA_DATA_VALUE = 1, 1, 2, 1
NFTA_PAYLOAD_DREG, NFTA_PAYLOAD_BASE, NFTA_PAYLOAD_OFFSET, NFTA_PAYLOAD_LEN = 1, 2, 3, 4
NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER = 1, 2
NFTA_META_DREG, NFTA_META_KEY, NFT_META_L4PROTO = 1, 2, 16
NFTA_CMP_SREG, NFTA_CMP_OP, NFTA_CMP_DATA, NFT_CMP_EQ = 1, 2, 3, 0
NFTA_IMMEDIATE_DREG, NFTA_IMMEDIATE_DATA = 1, 2
NFTA_NAT_TYPE, NFTA_NAT_FAMILY, NFTA_NAT_REG_ADDR_MIN, NFTA_NAT_REG_PROTO_MIN, NFT_NAT_DNAT = 1, 2, 3, 5, 1
NFT_REG_1, NFT_REG_2 = 1, 2

PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
CHAIN = "output"


class Redirection(NamedTuple):
    """Redirects what is sent to ``port`` of ``address`` from within the namespace to its port ``to_port``."""

    protocol: str
    address: str
    port: int
    to_port: int


def redirect(table: str, redirections: Sequence[Redirection]) -> None:
    """Have ``table`` of the calling thread's network namespace hold these redirections and nothing else."""
    try:
        _transact(_new_table(table, redirections))
    except FileExistsError:
        # Replacing waits for the kernel's grace period when the socket closes. A new namespace can avoid that.
        delete = Request(
            "delete nftables table", table, NFT_MSG_DELTABLE, 0, table_header() + text(NFTA_TABLE_NAME, table)
        )
        _transact([delete, *_new_table(table, redirections)])


def has_table(table: str, family: int = socket.AF_INET) -> bool:
    """Whether the calling thread's network namespace has this table of the family."""
    body = table_header(family) + text(NFTA_TABLE_NAME, table)
    request = Request("get nftables table", table, message_type(NFT_MSG_GETTABLE), 0, body)
    with open_nfnetlink() as connection:
        connection.send(render_message(request, NLM_F_REQUEST, 1))
        message = next(parse_messages(connection.recv(1 << 16)))
    if message.type != NLMSG_ERROR:
        return True
    error = parse_error(request, message)
    if error is not None and error.errno != errno.ENOENT:
        raise error
    return False


def _new_table(table: str, redirections: Sequence[Redirection]) -> list[Request]:
    hook = nested(
        NFTA_CHAIN_HOOK, _u32(NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT), _u32(NFTA_HOOK_PRIORITY, NF_IP_PRI_NAT_DST)
    )
    chain = text(NFTA_CHAIN_TABLE, table) + text(NFTA_CHAIN_NAME, CHAIN) + hook + text(NFTA_CHAIN_TYPE, "nat")
    return [
        Request(
            "new nftables table",
            table,
            NFT_MSG_NEWTABLE,
            NLM_F_CREATE | NLM_F_EXCL,
            table_header() + text(NFTA_TABLE_NAME, table),
        ),
        Request("new nftables chain", table, NFT_MSG_NEWCHAIN, NLM_F_CREATE, table_header() + chain),
        *(
            Request("new nftables rule", table, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, _rule(table, redirection))
            for redirection in redirections
        ),
    ]


def _rule(table: str, redirection: Redirection) -> bytes:
    address = socket.inet_aton(redirection.address)
    protocol = bytes([PROTOCOLS[redirection.protocol]])
    expressions = [
        _load(NFT_PAYLOAD_NETWORK_HEADER, 16, 4),  # destination address
        _equals(address),
        _expression("meta", _u32(NFTA_META_DREG, NFT_REG_1), _u32(NFTA_META_KEY, NFT_META_L4PROTO)),
        _equals(protocol),
        _load(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2),  # destination port, of TCP as of UDP
        _equals(struct.pack("!H", redirection.port)),
        _immediate(NFT_REG_1, address),
        _immediate(NFT_REG_2, struct.pack("!H", redirection.to_port)),
        _expression(
            "nat",
            _u32(NFTA_NAT_TYPE, NFT_NAT_DNAT),
            _u32(NFTA_NAT_FAMILY, socket.AF_INET),
            _u32(NFTA_NAT_REG_ADDR_MIN, NFT_REG_1),
            _u32(NFTA_NAT_REG_PROTO_MIN, NFT_REG_2),
        ),
    ]
    body = text(NFTA_RULE_TABLE, table) + text(NFTA_RULE_CHAIN, CHAIN) + nested(NFTA_RULE_EXPRESSIONS, *expressions)
    return table_header() + body


def _expression(name: str, *data: bytes) -> bytes:
    return nested(NFTA_LIST_ELEM, text(NFTA_EXPR_NAME, name), nested(NFTA_EXPR_DATA, *data))


def _load(base: int, offset: int, length: int) -> bytes:
    return _expression(
        "payload",
        _u32(NFTA_PAYLOAD_DREG, NFT_REG_1),
        _u32(NFTA_PAYLOAD_BASE, base),
        _u32(NFTA_PAYLOAD_OFFSET, offset),
        _u32(NFTA_PAYLOAD_LEN, length),
    )


def _equals(value: bytes) -> bytes:
    data = nested(NFTA_CMP_DATA, attribute(NFTA_DATA_VALUE, value))
    return _expression("cmp", _u32(NFTA_CMP_SREG, NFT_REG_1), _u32(NFTA_CMP_OP, NFT_CMP_EQ), data)


def _immediate(register: int, value: bytes) -> bytes:
    data = nested(NFTA_IMMEDIATE_DATA, attribute(NFTA_DATA_VALUE, value))
    return _expression("immediate", _u32(NFTA_IMMEDIATE_DREG, register), data)


def _u32(type_: int, value: int) -> bytes:
    """Numbers are in network order here, unlike in the rest of netlink."""
    return attribute(type_, struct.pack("!I", value & 0xFFFFFFFF))


def table_header(family: int = socket.AF_INET, resource: int = 0) -> bytes:
    """struct nfgenmsg."""
    return struct.pack("!BBH", family, 0, resource)


def message_type(message: int) -> int:
    return NFNL_SUBSYS_NFTABLES << 8 | message


def open_nfnetlink() -> socket.socket:
    connection = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    connection.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
    connection.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
    return connection


def _transact(requests: Sequence[Request]) -> None:
    """Execute all requests, or none: then the first error is raised."""
    limits = table_header(socket.AF_UNSPEC, NFNL_SUBSYS_NFTABLES)
    datagram = render_message(Request("", "", NFNL_MSG_BATCH_BEGIN, 0, limits), NLM_F_REQUEST, 0)
    waiting: dict[int, Request] = {}
    for sequence, request in enumerate(requests, 1):
        waiting[sequence] = request
        asked = request._replace(type=message_type(request.type))
        datagram += render_message(asked, NLM_F_REQUEST | NLM_F_ACK, sequence)
    datagram += render_message(Request("", "", NFNL_MSG_BATCH_END, 0, limits), NLM_F_REQUEST, 0)
    first: OSError | None = None
    with open_nfnetlink() as connection:
        connection.send(datagram)
        while waiting:
            for message in parse_messages(connection.recv(1 << 16)):
                if message.type != NLMSG_ERROR:
                    continue
                # Sequence 0 answers for the batch as a whole: no permission, or no nf_tables in the kernel.
                request = waiting.pop(message.sequence, requests[0])
                first = first or parse_error(request, message)
                if message.sequence == 0 and first is not None:
                    raise first
    if first is not None:
        raise first
