"""A plan as a drawing for other programs."""

from __future__ import annotations

from orchestra.cli.render.plan_formats import render_dot, render_mermaid
from orchestra.model.observed import Verb
from orchestra.model.resource import ResourceId
from orchestra.stacks.plan import Step

STEPS = (
    Step(Verb.CREATE, ResourceId.network('s_"net"'), "does not exist", 1),
    Step(Verb.STOP, ResourceId.container("s-web-1"), "to be <replaced>", 1),
    Step(Verb.START, ResourceId.container("s-web-1"), "created; db is healthy", 2, (0, 1)),
)


def test_dot():
    assert render_dot("s", STEPS).splitlines() == [
        'digraph "s" {',
        "  node [fontname=monospace, shape=box]",
        r'  n0 [label="create\nnetwork/s_\"net\"", color="#1a7f37", tooltip="does not exist"]',
        r'  n1 [label="stop\ncontainer/s-web-1", color="#cf222e", tooltip="to be <replaced>"]',
        r'  n2 [label="start\ncontainer/s-web-1", color="#0969da", tooltip="created; db is healthy"]',
        "  n0 -> n2",
        "  n1 -> n2",
        "  {rank=same; n0; n1;}",
        "  {rank=same; n2;}",
        "}",
    ]


def test_mermaid():
    assert render_mermaid(STEPS).splitlines() == [
        "flowchart TD",
        '  n0["create network/s_&quot;net&quot;<br/>does not exist"]',
        '  n1["stop container/s-web-1<br/>to be &lt;replaced&gt;"]',
        '  n2["start container/s-web-1<br/>created; db is healthy"]',
        "  n0 --> n2",
        "  n1 --> n2",
        "  style n0 stroke:#1a7f37",
        "  style n1 stroke:#cf222e",
        "  style n2 stroke:#0969da",
    ]
