"""The lines that a build shows, and what is left of them with --quiet."""

from __future__ import annotations

import json
import re

from orchestra.build.event import Planned, StageOutput, StepDone, StepFailed, StepOutput, StepStarted
from orchestra.build.step import BaseImage, Graph, Label, MakeDirectory, Result
from orchestra.cli.render.build import JsonEvents, PlainSteps, Silent

STEPS = (BaseImage("alpine", "linux/amd64"), MakeDirectory(0, "/a"), MakeDirectory(1, "/b"), MakeDirectory(2, "/c"))
LABELS = {number: Label("run", number, 3, f"WORKDIR /{number}", number, number) for number in (1, 2, 3)}
GRAPH = Graph(STEPS, LABELS, Result(3, 0, {}, (), "linux/amd64"))
EVENTS = (
    StageOutput("load metadata for alpine"),
    StageOutput("load metadata for alpine", seconds=1.25, done=True),
    Planned(GRAPH, frozenset({0, 1})),
    StepStarted(2),
    StepOutput(2, "one\ttab"),
    StepDone(2, 0.5),
    StepStarted(3),
    StepOutput(3, "\x1b[31mwhy"),
    StepFailed(3, 2.0, "the command ended with exit code 1"),
)


def shown(progress, capsys, service="web"):
    with progress:
        for event in EVENTS:
            progress.hear(service, event)
    return re.sub(r"\d\.\d{3} ", "T ", capsys.readouterr().err).splitlines()


END = [
    "------",
    " > [web run 3/3] WORKDIR /3:",
    "T \\x1b[31mwhy",
    "------",
]


def test_plain_lines_have_the_number_of_their_step(capsys):
    assert shown(PlainSteps(), capsys) == [
        "#1 [web internal] load metadata for alpine",
        "#1 DONE 1.2s",
        "#2 [web run 1/3] WORKDIR /1",
        "#2 CACHED",
        "#3 [web run 2/3] WORKDIR /2",
        "#3 T one    tab",
        "#3 DONE 0.5s",
        "#4 [web run 3/3] WORKDIR /3",
        "#4 T \\x1b[31mwhy",
        "#4 ERROR: the command ended with exit code 1",
        *END,
    ]


def test_quietly_only_the_end_of_what_fails_is_shown(capsys):
    assert shown(Silent(), capsys) == END


def test_json_has_one_object_for_each_event(capsys):
    rows = [json.loads(line) for line in shown(JsonEvents(), capsys, "")]
    assert [row["event"] for row in rows] == [type(event).__name__ for event in EVENTS]
    assert rows[4] == {"build": "", "event": "StepOutput", "step": 2, "line": "one\ttab"}
    assert rows[2]["cached"] == [0, 1]
