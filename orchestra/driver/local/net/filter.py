"""The rules of one stack: published ports, outbound translation and the walls between networks, as one nftables table.

``render`` is pure and makes the whole table; ``apply_rules`` replaces the old one by it in one transaction. Nothing is
ever patched. The format is libnftables-json(5).

Several tables see each packet. A verdict ``accept`` ends only our own chain, while a ``drop`` of any table is final:
our rules cannot open what the host's own firewall closes (a FORWARD chain with policy drop).
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestra.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.home import Home

from orchestra.driver.local.net.link import home_hash

FAMILY = "ip"
LOOPBACK = {"prefix": {"addr": "127.0.0.0", "len": 8}}

Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bridge:
    """A network of the stack as the rules see it. masquerade: translate what leaves the host."""

    name: str
    subnet: str
    internal: bool = False
    masquerade: bool = True


@dataclass(frozen=True, slots=True)
class Publication:
    """A host port that leads to a container. host_ip '': every address of the host."""

    protocol: str
    host_ip: str
    host_port: int
    address: str
    port: int


def table_name(home: Home, stack: str) -> str:
    """The stack's table. nft's own grammar has no hyphen in names, stack names have no dot: so the two are swapped."""
    return f"{table_prefix(home)}{stack.replace('-', '.')}"


def table_prefix(home: Home) -> str:
    return f"orchestra_{home_hash(home)}_"


def stack_of_table(home: Home, table: str) -> str | None:
    """The stack whose table that is; None when it is not one of this home."""
    prefix = table_prefix(home)
    return table[len(prefix) :].replace(".", "-") if table.startswith(prefix) else None


def render(
    table: str, bridges: Sequence[Bridge], publications: Sequence[Publication], silent_uplinks: Sequence[str] = ()
) -> Rule:
    """The transaction that makes ``table`` say this and nothing else; without bridges and ports it removes the table.

    silent_uplinks: interfaces that forwarded nothing before Orchestra needed them to.
    """
    commands: list[Rule] = [_add("table", {"name": table}), {"delete": {"table": {"family": FAMILY, "name": table}}}]
    if bridges or publications:
        commands.append(_add("table", {"name": table}))
        for name, rules in _chains(bridges, publications, silent_uplinks):
            commands.append(_add("chain", {"table": table, "name": name, **_HOOKS.get(name, {})}))
            commands += [_add("rule", {"table": table, "chain": name, "expr": rule}) for rule in rules]
    return {"nftables": commands}


_HOOKS: dict[str, Rule] = {
    # Before connection tracking undoes any translation: what claims loopback on the wire is neither answer nor ours.
    "guard": {"type": "filter", "hook": "prerouting", "prio": -300, "policy": "accept"},
    "prerouting": {"type": "nat", "hook": "prerouting", "prio": -100, "policy": "accept"},
    "output": {"type": "nat", "hook": "output", "prio": -100, "policy": "accept"},
    "postrouting": {"type": "nat", "hook": "postrouting", "prio": 100, "policy": "accept"},
    "forward": {"type": "filter", "hook": "forward", "prio": 0, "policy": "accept"},
}


def _chains(
    bridges: Sequence[Bridge], publications: Sequence[Publication], silent_uplinks: Sequence[str]
) -> list[tuple[str, list[list[Rule]]]]:
    local = _match({"fib": {"result": "type", "flags": ["daddr"]}}, "local")
    return [
        ("ports", [_publish(publication) for publication in publications]),
        ("guard", [rule for bridge in bridges for rule in _guard(bridge)]),
        ("prerouting", [[local, {"jump": {"target": "ports"}}]]),
        ("output", [[local, {"jump": {"target": "ports"}}]]),
        ("postrouting", [rule for bridge in bridges for rule in _translate(bridge)]),
        (
            "forward",
            [rule for bridge in bridges for rule in _wall(bridge)] + [_stay_silent(name) for name in silent_uplinks],
        ),
    ]


def _publish(publication: Publication) -> list[Rule]:
    where = [_match(_payload("ip", "daddr"), publication.host_ip)] if publication.host_ip else []
    port = _match(_payload(publication.protocol, "dport"), publication.host_port)
    return [*where, port, {"dnat": {"addr": publication.address, "port": publication.port}}]


def _guard(bridge: Bridge) -> list[list[Rule]]:
    """Containers must not reach the host's loopback, which route_localnet on the bridge would allow them."""
    arrives = _match(_meta("iifname"), bridge.name)
    return [
        [arrives, _match(_payload("ip", "daddr"), LOOPBACK), {"drop": None}],
        [arrives, _match(_payload("ip", "saddr"), LOOPBACK), {"drop": None}],
    ]


def _translate(bridge: Bridge) -> list[list[Rule]]:
    leaves, subnet = _match(_meta("oifname"), bridge.name), _prefix(bridge.subnet)
    from_subnet = _match(_payload("ip", "saddr"), subnet)
    rules = [
        # The host by 127.0.0.1 to a published port: the container could not answer to that address.
        [leaves, _match(_payload("ip", "saddr"), LOOPBACK), {"masquerade": None}],
        # Container to a published port of its own network: the answer must come back through the host.
        [leaves, from_subnet, _match({"ct": {"key": "status"}}, "dnat", "in"), {"masquerade": None}],
    ]
    if bridge.masquerade and not bridge.internal:
        rules.append([_match(_meta("oifname"), bridge.name, "!="), from_subnet, {"masquerade": None}])
    return rules


def _wall(bridge: Bridge) -> list[list[Rule]]:
    """What may be forwarded into and out of a network. Within it is free: bridges ask here too, with br_netfilter."""
    arrives, leaves = _match(_meta("iifname"), bridge.name), _match(_meta("oifname"), bridge.name)
    within = [arrives, leaves, {"accept": None}]
    if bridge.internal:
        return [within, [leaves, {"drop": None}], [arrives, {"drop": None}]]
    return [
        within,
        [leaves, _match({"ct": {"key": "state"}}, ["established", "related"], "in"), {"accept": None}],
        [leaves, _match({"ct": {"key": "status"}}, "dnat", "in"), {"accept": None}],
        [leaves, {"drop": None}],
    ]


def _stay_silent(uplink: str) -> list[Rule]:
    """Forwarding was turned on for containers only: the host does not become a router between its other links."""
    return [_match(_meta("iifname"), uplink), _match(_meta("oifkind"), "bridge", "!="), {"drop": None}]


def _add(kind: str, body: Rule) -> Rule:
    return {"add": {kind: {"family": FAMILY, **body}}}


def _match(left: Rule, right: Any, operator: str = "==") -> Rule:
    return {"match": {"op": operator, "left": left, "right": right}}


def _meta(key: str) -> Rule:
    return {"meta": {"key": key}}


def _payload(protocol: str, field: str) -> Rule:
    return {"payload": {"protocol": protocol, "field": field}}


def _prefix(subnet: str) -> Rule:
    address, _, length = subnet.partition("/")
    return {"prefix": {"addr": address, "len": int(length)}}


def apply_rules(transaction: Rule) -> None:
    """Hand the transaction to the kernel; all of it holds afterwards, or nothing. Raises FatalError."""
    # Not as standard input, which nft opens by the name /dev/stdin: a minimal machine has no such link.
    file = os.memfd_create("rules")
    try:
        os.write(file, json.dumps(transaction).encode())
        _nft(["-j", "-f", f"/proc/self/fd/{file}"], file)
    finally:
        os.close(file)


def list_tables() -> list[str]:
    """Names of all tables of our family."""
    listing = json.loads(_nft(["-j", "list", "tables", FAMILY]))["nftables"]
    return [item["table"]["name"] for item in listing if "table" in item]


def remove_table(name: str) -> None:
    """Remove a table; nothing happens when it is gone."""
    apply_rules(render(name, (), ()))


def _nft(arguments: list[str], *inherited: int) -> str:
    try:
        done = subprocess.run(
            ["nft", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            pass_fds=inherited,
        )
    except FileNotFoundError:
        hint = "install the package nftables"
        raise FatalError("the program nft is not installed: ports and networks need it", hint=hint) from None
    if done.returncode:
        hint = "see whether the kernel has nf_tables, and whether this process may change it (CAP_NET_ADMIN)"
        raise FatalError(f"nft refused the rules: {done.stderr.strip()}", hint=hint)
    return done.stdout
