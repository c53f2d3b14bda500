"""The lines that a build shows, and what is left of them with --quiet."""

from __future__ import annotations

import base64
import io
import json
import re

from rich.console import Console

from orchestra.build.event import Planned, StageOutput, StepDone, StepFailed, StepOutput, StepStarted
from orchestra.build.step import BaseImage, Graph, Label, MakeDirectory, Result
from orchestra.cli.render.build import JsonEvents, PlainSteps, Silent
from orchestra.cli.render.build_live import LiveSteps
from orchestra.cli.render.build_raw import RawJson
from orchestra.cli.render.watch_lines import WatchLines
from orchestra.stacks.watching.events import Building, Rebuilding, Restarted

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


def test_raw_json_is_that_of_buildkit(capsys):
    rows = [json.loads(line) for line in shown(RawJson(), capsys)]
    last: dict[str, dict] = {}
    for row in rows:
        for vertex in row.get("vertexes", ()):
            last[vertex["name"]] = vertex
    assert list(last) == [
        "[web internal] load metadata for alpine",
        *(f"[web run {number}/3] WORKDIR /{number}" for number in (1, 2, 3)),
    ]
    assert [vertex.get("cached", False) for vertex in last.values()] == [False, True, False, False]
    *_, second, third = last.values()
    assert third["inputs"] == [second["digest"]]
    assert third["error"] == "the command ended with exit code 1"
    assert all(vertex["started"] <= vertex["completed"] for vertex in last.values())
    [first, _] = [log for row in rows for log in row.get("logs", ())]
    assert (first["vertex"], base64.b64decode(first["data"])) == (second["digest"], b"one\ttab\n")


def drawn(progress, screen):
    """The last drawing, by lines."""
    progress._live.refresh()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()).rpartition("[+]")[2]
    return [line.rstrip() for line in text.replace("\r", "\n").splitlines() if line.strip()]


def live(width=60, height=24):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width, height=height, color_system=None)
    return LiveSteps(color=False, console=console), screen


def without_times(lines):
    return [re.sub(r" +\d+\.\ds", "", line) for line in lines]


def test_on_a_terminal_each_step_has_a_line_and_a_running_one_its_last_output(capsys):
    progress, screen = live()
    with progress:
        for event in EVENTS[:5]:
            progress.hear("web", event)
        assert without_times(drawn(progress, screen)) == [
            " Building (2/4)",
            " => [web internal] load metadata for alpine",
            " => CACHED [web run 1/3] WORKDIR /1",
            " => [web run 2/3] WORKDIR /2",
            " => => one     tab",
        ]
        for event in EVENTS[5:]:
            progress.hear("web", event)
    assert without_times(drawn(progress, screen)) == [
        " Building (4/4) ERROR",
        " => [web internal] load metadata for alpine",
        " => CACHED [web run 1/3] WORKDIR /1",
        " => [web run 2/3] WORKDIR /2",
        " => ERROR [web run 3/3] WORKDIR /3",
    ]
    assert re.sub(r"\d\.\d{3} ", "T ", capsys.readouterr().err).splitlines() == END


def test_a_small_terminal_shows_what_runs_and_its_newest_output():
    progress, screen = live(width=30, height=6)
    with progress:
        for event in (*EVENTS[:4], *(StepOutput(2, f"line {number} {'x' * 40}") for number in range(9))):
            progress.hear("web", event)
        lines = drawn(progress, screen)
        assert lines[1].startswith(" => [web run 2/3] WORK")
        assert [line[:12] for line in lines[2:]] == [f" => => line {number}"[:12] for number in (6, 7, 8)]
        assert all(len(line) <= 30 for line in lines)
    final = without_times(drawn(progress, screen))
    assert (len(final), final[3][:16]) == (4, " => CANCELED [we"), final


def test_a_watch_shows_the_progress_of_its_builds_until_they_end(capsys):
    opened = []

    def open_progress():
        opened.append(PlainSteps())
        return opened[-1]

    with WatchLines(open_progress) as lines:
        lines.show(Rebuilding("web"))
        for event in EVENTS[:4]:
            lines.show(Building("web", event))
        lines.show(Building("web", None))
        lines.show(Restarted(("web",)))
    assert len(opened) == 1
    assert capsys.readouterr().err.splitlines() == [
        'Rebuilding service "web" after changes were detected...',
        "#1 [web internal] load metadata for alpine",
        "#1 DONE 1.2s",
        "#2 [web run 1/3] WORKDIR /1",
        "#2 CACHED",
        "#3 [web run 2/3] WORKDIR /2",
        'service "web" restarted',
    ]
