"""Which of several containers the names and the one host port of their service lead to."""

from __future__ import annotations

import json

import pytest

from orchestra.driver.local.net.attachment import Attached, Attachment, Interface
from orchestra.driver.local.net.filter import render
from orchestra.driver.local.net.ipam import Leases
from orchestra.driver.local.net.projection import names_of, publications_of
from orchestra.model.container import Port
from orchestra.names.zone import Standing

READY, STARTING, ENDED = Standing(runs=True), Standing(runs=True, is_well=False), Standing()


def attached(*standings, drained=()):
    """Containers 1, 2, … at 10.0.0.1, 10.0.0.2, …, and how each of them stands."""
    entries = tuple(
        Attached(
            str(number),
            Attachment(
                "s",
                "web",
                f"s-web-{number}",
                str(number),
                "",
                interfaces=(
                    Interface(
                        "lan", "eth0", f"10.0.0.{number}", 24, "", "", names=("web", f"s-web-{number}"), publishes=True
                    ),
                ),
                ports=(Port(80, 8080),),
                drained_at=1.0 if number in drained else 0.0,
            ),
            {},
        )
        for number in range(1, len(standings) + 1)
    )
    return entries, lambda directory: standings[int(directory) - 1]


def leads_to(*standings, **more):
    entries, standing = attached(*standings, **more)
    found, none = publications_of(entries, Leases(), standing)
    assert none == ()
    return [int(publication.address[-1]) for publication in found]


@pytest.mark.parametrize(
    ("standings", "drained", "chosen"),
    [
        ((READY, READY, READY), (), [1, 2, 3]),
        ((READY, STARTING, ENDED), (), [1]),
        ((READY, READY), (1,), [2]),
        ((READY, STARTING), (1,), [1]),
        ((STARTING, ENDED), (), [1]),
        ((ENDED, ENDED), (), [1, 2]),
        ((ENDED,), (), [1]),
        ((READY,), (1,), [1]),
    ],
)
def test_a_port_leads_to_those_that_are_ready(standings, drained, chosen):
    assert leads_to(*standings, drained=drained) == chosen


def named(*standings, **more):
    entries, standing = attached(*standings, **more)
    return [json.loads(text)["names"] for text in names_of(entries, "lan", standing)]


def test_a_drained_container_keeps_only_names_that_no_other_has():
    assert named(READY, READY, drained=(1,)) == [["s-web-1"], ["web", "s-web-2"]]
    assert named(READY, STARTING, drained=(1,)) == [["web", "s-web-1"], ["web", "s-web-2"]]
    assert named(READY, READY) == [["web", "s-web-1"], ["web", "s-web-2"]]


def test_connections_are_dealt_out_in_equal_shares():
    entries, standing = attached(READY, READY, READY)
    found, _ = publications_of(entries, Leases(), standing)
    rules = [
        command["add"]["rule"]["expr"]
        for command in render("t", (), found)["nftables"]
        if command.get("add", {}).get("rule", {}).get("chain") == "ports"
    ]
    turns = [[part["match"]["left"].get("numgen") for part in rule if "match" in part][-1] for rule in rules]
    assert [turn and turn["mod"] for turn in turns] == [3, 2, None]
