"""The rules of one stack: published ports, outbound translation and the walls between networks, as nftables tables.

There is one for IPv4 and, if a network has IPv6, one for that. ``render`` is pure and makes a whole table;
``apply_rules`` replaces the old tables in one transaction. They are never patched. The format is libnftables-json(5).

Several tables see each packet. A verdict ``accept`` ends only our own chain, while a ``drop`` of any table is final:
our rules cannot open what the host's own firewall closes (a FORWARD chain with policy drop).
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from orchestra.errors import FatalError
from orchestra.linux.network import libnftables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orchestra.home import Home

from orchestra.driver.local.net.gate import ADMITTED
from orchestra.driver.local.net.mark import home_hash
from orchestra.record import Record

FAMILIES = ("ip", "ip6")
LOOPBACK = {"ip": "127.0.0.0/8", "ip6": "::1/128"}

Rule = dict[str, Any]
_MARK: Rule = {"mangle": {"key": {"meta": {"key": "mark"}}, "value": ADMITTED}}


class Bridge(Record):
    """One family of a network of the stack as the rules see it.

    masquerade: translate the source of packets that leave the host; source: to this address, '' for that of the
    interface by which they leave. between: containers may reach each other. open_to: containers that others reach at
    their own addresses, with protocol and port; None for all of them at every port.
    """

    name: str
    subnet: str
    internal: bool = False
    masquerade: bool = True
    source: str = ""
    between: bool = True
    open_to: tuple[tuple[str, str, int], ...] | None = ()


class Publication(Record):
    """A host port that leads to a container. host_ip '': all addresses of the host, of the family of ``address``."""

    protocol: str
    host_ip: str
    host_port: int
    address: str
    port: int


def table_name(home: Home, stack: str) -> str:
    """The stack's table. nft's grammar has no hyphen in names, and stack names have no dot: so the two are swapped."""
    return f"{table_prefix(home)}{stack.replace('-', '.')}"


def table_prefix(home: Home) -> str:
    return f"orchestra_{home_hash(home)}_"


def stack_of_table(home: Home, table: str) -> str | None:
    """The stack of this table; None if it is not a table of this home."""
    prefix = table_prefix(home)
    return table[len(prefix) :].replace(".", "-") if table.startswith(prefix) else None


def render(
    table: str,
    bridges: Sequence[Bridge],
    publications: Sequence[Publication],
    silent_uplinks: Sequence[str] = (),
    family: str = "ip",
) -> Rule:
    """The transaction that makes ``table`` say this and nothing else; without bridges and ports it removes the table.

    silent_uplinks: interfaces that forwarded nothing before Orchestra needed them to. family: one of ``FAMILIES``, of
    every address.
    """
    commands: list[Rule] = [
        _add(family, "table", {"name": table}),
        {"delete": {"table": {"family": family, "name": table}}},
    ]
    if bridges or publications:
        commands.append(_add(family, "table", {"name": table}))
        for name, rules in _chains(family, bridges, publications, silent_uplinks):
            commands.append(_add(family, "chain", {"table": table, "name": name, **_HOOKS.get(name, {})}))
            commands += [_add(family, "rule", {"table": table, "chain": name, "expr": rule}) for rule in rules]
    return {"nftables": commands}


_HOOKS: dict[str, Rule] = {
    "prerouting": {"type": "nat", "hook": "prerouting", "prio": -100, "policy": "accept"},
    "hairpin": {"type": "filter", "hook": "prerouting", "prio": -50, "policy": "accept"},
    "output": {"type": "nat", "hook": "output", "prio": -100, "policy": "accept"},
    "postrouting": {"type": "nat", "hook": "postrouting", "prio": 100, "policy": "accept"},
    "forward": {"type": "filter", "hook": "forward", "prio": 0, "policy": "accept"},
    "input": {"type": "filter", "hook": "input", "prio": 0, "policy": "accept"},
    # After everything else: the mark means something to the bridge's gate only, and no other rule may change it.
    "admit": {"type": "filter", "hook": "postrouting", "prio": 1000, "policy": "accept"},
}


CHAINS = ("ports", *_HOOKS)
"""Every chain of a table."""


def _chains(
    family: str, bridges: Sequence[Bridge], publications: Sequence[Publication], silent_uplinks: Sequence[str]
) -> list[tuple[str, list[list[Rule]]]]:
    local = _match({"fib": {"result": "type", "flags": ["daddr"]}}, "local")
    return [
        ("ports", [_publish(publication, others) for publication, others in _with_others(publications)]),
        ("prerouting", [[local, {"jump": {"target": "ports"}}]]),
        ("output", [[local, {"jump": {"target": "ports"}}]]),
        ("postrouting", [rule for bridge in bridges for rule in _translate(family, bridge)]),
        ("forward", _walls(bridges) + [_stay_silent(name) for name in silent_uplinks]),
        ("input", [_keep_from_host(bridge) for bridge in bridges if bridge.internal]),
        ("hairpin", [_admit_hairpin(bridge) for bridge in bridges]),
        ("admit", [rule for bridge in bridges for rule in _admit(bridge)]),
    ]


def _with_others(publications: Sequence[Publication]) -> list[tuple[Publication, int]]:
    """Each with the number of those after it that have the same host port."""
    left = Counter(map(_host_port, publications))
    found = []
    for publication in publications:
        left[_host_port(publication)] -= 1
        found.append((publication, left[_host_port(publication)]))
    return found


def _host_port(publication: Publication) -> tuple[str, str, int]:
    return publication.protocol, publication.host_ip, publication.host_port


def _publish(publication: Publication, others: int) -> list[Rule]:
    """others: how many rules for this host port follow: each takes its share of the connections that reach it."""
    family = _family(publication.address)
    where = [_match(_payload(family, "daddr"), publication.host_ip)] if publication.host_ip else []
    if family == "ip6" and not publication.host_ip:
        # The kernel takes no answer to ::1 from an interface: better no connection than one that waits.
        where.append(_match(_payload(family, "daddr"), LOOPBACK[family].partition("/")[0], "!="))
    port = _match(_payload(publication.protocol, "dport"), publication.host_port)
    turn = {"numgen": {"mode": "inc", "mod": others + 1, "offset": 0}}
    where += [port, *([_match(turn, 0)] if others else [])]
    return [*where, {"dnat": {"addr": publication.address, "port": publication.port}}]


def _translate(family: str, bridge: Bridge) -> list[list[Rule]]:
    leaves, subnet = _match(_meta("oifname"), bridge.name), _prefix(bridge.subnet)
    from_subnet = _match(_payload(family, "saddr"), subnet)
    rules = [
        # The host by 127.0.0.1 to a published port: the container could not answer to that address.
        [leaves, _match(_payload(family, "saddr"), _prefix(LOOPBACK[family])), {"masquerade": None}],
        # Container to a published port of its own network: the answer must come back through the host.
        [leaves, from_subnet, _match({"ct": {"key": "status"}}, "dnat", "in"), {"masquerade": None}],
    ]
    if bridge.masquerade and not bridge.internal:
        translation = {"snat": {"addr": bridge.source}} if bridge.source else {"masquerade": None}
        rules.append([_match(_meta("oifname"), bridge.name, "!="), from_subnet, translation])
    return rules


def _walls(bridges: Sequence[Bridge]) -> list[list[Rule]]:
    """What may be forwarded into and out of networks.

    Packets with a source that is not where they come from are dropped first: they could pass for answers.
    Internal networks come first: what they may not send is dropped before another network's rules can let it in.
    """
    internal = [bridge for bridge in bridges if bridge.internal]
    ordinary = [bridge for bridge in bridges if not bridge.internal]
    rules = [rule for bridge in bridges for rule in _spoofed(bridge)]
    rules += [[_arrives(bridge), _leaves(bridge), {"accept": None}] for bridge in bridges if bridge.between]
    rules += [[way(bridge), {"drop": None}] for bridge in internal for way in (_arrives, _leaves)]
    for bridge in ordinary:
        rules += [[_leaves(bridge), *reason, {"accept": None}] for reason in _reasons(bridge)]
        rules.append([_leaves(bridge), {"drop": None}])
    return rules


def _keep_from_host(bridge: Bridge) -> list[Rule]:
    """An internal network reaches nothing of the host, but answers it. The kernel tracks no neighbour discovery."""
    return [_arrives(bridge), _match({"ct": {"key": "state"}}, "new"), {"drop": None}]


def _spoofed(bridge: Bridge) -> Iterator[list[Rule]]:
    """Packets from elsewhere with a source of the network, and from the network with one that is not behind it.

    Where br_netfilter is loaded, the kernel knows the connections within a network too, and others could join in. In
    IPv6 the containers' gates have seen to the sources of what leaves a network.
    """
    family = _family(bridge.subnet)
    own = _match(_payload(family, "saddr"), _prefix(bridge.subnet))
    yield [_leaves(bridge), _match(_meta("iifname"), bridge.name, "!="), own, {"drop": None}]
    if family == "ip":
        way_back = {"fib": {"result": "oif", "flags": ["saddr", "iif"]}}
        # To other bridges only: the question costs a look into the routing table.
        yield [_arrives(bridge), _match(_meta("oifkind"), "bridge"), _match(way_back, 0), {"drop": None}]


def _admit(bridge: Bridge) -> list[list[Rule]]:
    """What passes the bridge's gate: what the walls let through, and what the host sends itself."""
    reasons = [*([[_arrives(bridge)]] if bridge.between else []), [_match(_meta("iif"), 0)]]
    if not bridge.internal:
        reasons += _reasons(bridge)
    return [[_leaves(bridge), *reason, _MARK] for reason in reasons]


def _admit_hairpin(bridge: Bridge) -> list[Rule]:
    """From a network to its own published port: with br_netfilter it passes the gate before any later rule."""
    within = _match(_payload(_family(bridge.subnet), "daddr"), _prefix(bridge.subnet))
    return [_arrives(bridge), within, _match({"ct": {"key": "status"}}, "dnat", "in"), _MARK]


def _reasons(bridge: Bridge) -> list[list[Rule]]:
    """Why a packet may enter a network from outside: as an answer, or to what is open to others."""
    reasons = [
        [_match({"ct": {"key": "state"}}, ["established", "related"], "in")],
        [_match({"ct": {"key": "status"}}, "dnat", "in")],
    ]
    if bridge.open_to is None:
        return [*reasons, []]
    family = _family(bridge.subnet)
    for address, protocol, port in bridge.open_to:
        to = [_match(_payload(family, "daddr"), address), _match(_payload(protocol, "dport"), port)]
        reasons.append(to)
    return reasons


def _arrives(bridge: Bridge) -> Rule:
    return _match(_meta("iifname"), bridge.name)


def _leaves(bridge: Bridge) -> Rule:
    """Within a network is free: bridges ask here too, where br_netfilter is loaded."""
    return _match(_meta("oifname"), bridge.name)


def _stay_silent(uplink: str) -> list[Rule]:
    """Forwarding was turned on for containers only: the host does not become a router between its other links."""
    return [_match(_meta("iifname"), uplink), _match(_meta("oifkind"), "bridge", "!="), {"drop": None}]


def _family(address: str) -> str:
    return FAMILIES[":" in address]


def _add(family: str, kind: str, body: Rule) -> Rule:
    return {"add": {kind: {"family": family, **body}}}


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
    _run(transaction)


def list_tables() -> list[str]:
    """Names of all tables of our families."""
    return sorted({name for _, name in _tables()})


def remove_table(name: str) -> None:
    """Remove a stack's tables; does nothing if they are gone. Raises FatalError."""
    if families := [family for family, found in _tables() if found == name]:
        apply_rules(joined(render(name, (), (), family=family) for family in families))


def _tables() -> list[tuple[str, str]]:
    """Family and name of each."""
    listing = json.loads(_run({"nftables": [{"list": {"tables": None}}]}))["nftables"]
    found = [(item["table"]["family"], item["table"]["name"]) for item in listing if "table" in item]
    return [(family, name) for family, name in found if family in FAMILIES]


def joined(transactions: Iterable[Rule]) -> Rule:
    """One transaction of several."""
    return {"nftables": [command for transaction in transactions for command in transaction["nftables"]]}


def _run(commands: Rule) -> bytes:
    try:
        return libnftables.run(json.dumps(commands).encode())
    except FileNotFoundError:
        hint = "install the package nftables"
        raise FatalError("nftables is not installed: ports and networks need it", hint=hint) from None
    except (libnftables.Refused, OSError) as error:
        hint = "check that the kernel has nf_tables, and that this process has CAP_NET_ADMIN"
        raise FatalError(f"nftables rejected the rules: {error}", hint=hint) from None
