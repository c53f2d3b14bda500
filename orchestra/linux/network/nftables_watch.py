"""Changes that others make to nf_tables, as the kernel reports them, and the content of a table (nf_tables.h).

Both need CAP_NET_ADMIN in the network namespace of the thread that opens the socket.
"""

from __future__ import annotations

import errno
import socket
import struct

from orchestra.linux.network.netlink import FAMILIES
from orchestra.linux.network.netlink_message import (
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    SOL_NETLINK,
    Message,
    Request,
    parse_attributes,
    parse_error,
    parse_messages,
    parse_text,
    render_message,
    text,
)
from orchestra.linux.network.nftables import (
    NETLINK_NETFILTER,
    NFNL_SUBSYS_NFTABLES,
    NFT_MSG_DELTABLE,
    NFT_MSG_GETTABLE,
    NFTA_CHAIN_NAME,
    NFTA_CHAIN_TABLE,
    NFTA_RULE_TABLE,
    NFTA_TABLE_NAME,
    message_type,
    open_nfnetlink,
    table_header,
)
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NETLINK_ADD_MEMBERSHIP, NETLINK_LISTEN_ALL_NSID, NFNLGRP_NFTABLES = 1, 8, 7
NFT_MSG_GETCHAIN, NFT_MSG_GETRULE, NFT_MSG_NEWGEN = 4, 7, 15
NFT_MSG_DELCHAIN, NFT_MSG_DELRULE = 5, 8
REMOVALS = frozenset({NFT_MSG_DELTABLE, NFT_MSG_DELCHAIN, NFT_MSG_DELRULE})
NFTA_TABLE, NFTA_GEN_PROC_NAME = 1, 3
RECEIVED = 1 << 17
BEFORE_GENERATION = 2
"""Bytes of struct nfgenmsg before the number that changes with every transaction."""


class Changes(NamedTuple):
    """tables: names of the changed tables of the families ip and ip6, None if the kernel had to drop messages.

    program: the name of the process that made the last change, '' if unknown. reduced: the tables that have lost
    something, or are gone.
    """

    tables: frozenset[str] | None
    program: str
    reduced: frozenset[str] = frozenset()


class TableWatch:
    """A socket that becomes readable when any table of this network namespace changes. Raises OSError.

    everywhere: or of any that has a number here, such as those at the far end of a veth pair (netlink(7)).
    """

    def __init__(self, *, everywhere: bool = False) -> None:
        flags = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, flags, NETLINK_NETFILTER)
        try:
            self._socket.bind((0, 0))  # without its own address it is taken for the sender, and told nothing
            self._socket.setsockopt(SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, int(everywhere))
            self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> TableWatch:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> Changes:
        """Everything that has happened since the last call; never waits."""
        tables: set[str] | None = set()
        reduced: set[str] = set()
        program = ""
        while True:
            try:
                datagram = self._socket.recv(RECEIVED)
            except BlockingIOError:
                return Changes(None if tables is None else frozenset(tables), program, frozenset(reduced))
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                tables = None
                continue
            for message in parse_messages(datagram):
                if message.type >> 8 != NFNL_SUBSYS_NFTABLES:
                    continue
                attributes = parse_attributes(message.body[4:])
                if message.type & 0xFF == NFT_MSG_NEWGEN:
                    program = parse_text(attributes.get(NFTA_GEN_PROC_NAME))
                elif message.body[0] in FAMILIES and tables is not None:
                    table = parse_text(attributes.get(NFTA_TABLE))
                    tables.add(table)
                    if message.type & 0xFF in REMOVALS:
                        reduced.add(table)


class TableContent(NamedTuple):
    """raw: equal as long as the table, its flags, these chains and all rules are unchanged. rules: how many."""

    raw: bytes
    rules: int


def table_content(table: str, chains: Sequence[str], family: int = socket.AF_INET) -> TableContent | None:
    """The table and these chains of it as the kernel has them; None if one is missing. Raises OSError."""
    requests = [
        Request("get nftables table", table, NFT_MSG_GETTABLE, 0, text(NFTA_TABLE_NAME, table)),
        *(
            Request(
                "get nftables chain",
                chain,
                NFT_MSG_GETCHAIN,
                0,
                text(NFTA_CHAIN_TABLE, table) + text(NFTA_CHAIN_NAME, chain),
            )
            for chain in chains
        ),
    ]
    raw = b""
    with open_nfnetlink() as connection:
        for request in requests:
            (answer,) = _ask(connection, request, 0, family)
            if answer.type == NLMSG_ERROR:
                error = parse_error(request, answer)
                if error is not None and error.errno == errno.ENOENT:
                    return None
                raise error or OSError(f"{request.call}: no answer")
            raw += _without_generation(answer)
        rules = _rules(connection, table, family)
    return TableContent(raw + b"".join(rules), len(rules))


def _rules(connection: socket.socket, table: str, family: int) -> list[bytes]:
    request = Request("list nftables rules", table, NFT_MSG_GETRULE, NLM_F_DUMP, text(NFTA_RULE_TABLE, table))
    while True:
        messages = list(_ask(connection, request, NLM_F_DUMP, family))
        if not any(message.flags & NLM_F_DUMP_INTR for message in messages):
            break
    found: list[bytes] = []
    for message in messages:
        if message.type == NLMSG_ERROR:
            raise parse_error(request, message) or OSError(f"{request.call}: no answer")
        # Kernels before 4.10 list the rules of every table.
        if parse_text(parse_attributes(message.body[4:]).get(NFTA_RULE_TABLE)) == table:
            found.append(_without_generation(message))
    return found


def _ask(connection: socket.socket, request: Request, flags: int, family: int) -> Iterator[Message]:
    """The single answer to a request, or all answers to a dump without its end."""
    asked = request._replace(type=message_type(request.type), payload=table_header(family) + request.payload)
    connection.send(render_message(asked, NLM_F_REQUEST | flags, 1))
    while True:
        for message in parse_messages(connection.recv(RECEIVED)):
            if message.type == NLMSG_DONE:
                return
            yield message
            if not flags or message.type == NLMSG_ERROR:
                return


def _without_generation(message: Message) -> bytes:
    return struct.pack("=H", message.type) + message.body[:BEFORE_GENERATION] + message.body[4:]
