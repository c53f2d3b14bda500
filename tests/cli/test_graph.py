"""``graph`` draws what depends on what: no line lies on another, and every line ends where it should."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.cli.render.layers import lay_out
from tests.examples.conftest import needs_containers

FILE = """
name: s
services:
  web: {image: x, depends_on: {api: {condition: service_healthy}, job: {condition: service_completed_successfully}}}
  api: {image: x, depends_on: [db], volumes: ["data:/d"], healthcheck: {test: "true"}}
  job: {image: x, depends_on: {db: {condition: service_started, required: false}}}
  db: {image: x, volumes: ["data:/d", /anonymous]}
  off: {image: x, profiles: [debug], depends_on: [db]}
volumes: {data: {external: true}}
"""


@pytest.fixture
def draw(orchestra, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    def draw(*words, text=FILE):
        (tmp_path / "compose.yaml").write_text(text)
        code, out, err = orchestra("-f", str(tmp_path / "compose.yaml"), *words)
        assert (code, err) == (0, "")
        return out

    return draw


def test_a_picture_has_layers_and_a_legend(draw):
    assert (
        draw("graph")
        == """\
┌─────┐
│ web │
└─┬─┬─┘
  │ │
  └┐│
   │└───────┐
   ♥        ✔
┌─────┐  ┌─────┐
│ api │  │ job │
└──┬──┘  └──┬──┘
   │        │
   │ ┌──────┘
   ▼ ▽
 ┌────┐
 │ db │
 └────┘

▼ started, ♥ healthy, ✔ completed, ▽ started optional
"""
    )


def test_where_it_does_not_fit_there_is_a_list(draw, monkeypatch):
    monkeypatch.setenv("COLUMNS", "12")
    assert (
        draw("graph")
        == """\
web
  needs api
  (healthy)
  needs job
  (completed)
api
  needs db
  (started)
job
  needs db
  (started,
  optional)
db
"""
    )


def test_resources_are_shown_on_request(draw):
    found = json.loads(draw("graph", "--format", "json", "--volumes", "--networks"))
    nodes = {(node["kind"], node["name"]): node for node in found["nodes"]}
    assert nodes["volume", "data"]["external"]
    assert nodes["network", "default"]["layer"] == 0
    assert ("service", "off") not in nodes
    edges = {(edge["from"], edge["to"]): (edge["condition"], edge["required"]) for edge in found["edges"]}
    assert edges["web", "api"] == ("service_healthy", True)
    assert edges["job", "db"] == ("service_started", False)
    assert edges["db", "volume data"] == ("", True)
    assert "volume data (external)" in draw("graph", "--volumes")
    assert "off" in draw("--profile", "debug", "graph")


def test_other_programs_can_read_it(draw):
    image = ElementTree.fromstring(draw("graph", "--format", "svg"))
    texts = [node.text for node in image.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["web", "api", "job", "db"]
    assert len(list(image.iter("{http://www.w3.org/2000/svg}polyline"))) == 4
    dot = draw("graph", "--format", "dot", "--volumes")
    assert dot.startswith('digraph "s" {\n')
    assert '  "job" -> "db" [label="started, optional", style=dashed]\n' in dot
    mermaid = draw("graph", "--format", "mermaid")
    assert mermaid.startswith("flowchart TD\n")
    assert "  n3 -->|completed| n2\n" in mermaid


def test_it_is_the_same_each_time_and_plain_in_a_pipe(draw):
    for format in ("text", "svg", "json"):
        assert draw("graph", "--format", format) == draw("graph", "--format", format)
    assert "\033" not in draw("graph")
    assert draw("graph", text="services: {}\nname: s\n") == ""
    assert draw("graph", text="name: s\nservices: {a: {image: x}}\n") == "┌───┐\n│ a │\n└───┘\n"


def test_states_are_words_and_colours(draw, by_hand):
    by_hand.run(by_hand.create("db"))
    by_hand.exit(by_hand.create("job"), 3)
    shown = draw("--ansi", "always", "graph")
    assert "running" in shown
    assert "\033[31m" in shown
    assert "exited (3)" in shown
    assert "\033" not in draw("graph")


@st.composite
def graphs(draw):
    layers = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    keys = [[f"{layer}.{number}" for number in range(count)] for layer, count in enumerate(layers)]
    pairs = [
        (source, target)
        for above in range(len(keys))
        for below in range(above + 1, len(keys))
        for source in keys[above]
        for target in keys[below]
    ]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=14)) if pairs else []
    return keys, {key: draw(st.integers(1, 12)) for layer in keys for key in layer}, edges


@given(graphs())
def test_no_line_lies_on_another_or_crosses_a_box(graph):
    layout = lay_out(*graph, height=3)
    if layout is None:
        return
    cells = [
        (x, y)
        for box in layout.boxes
        for x in range(box.x, box.x + box.width)
        for y in range(box.y, box.y + box.height)
    ]
    assert len(set(cells)) == len(cells), "boxes are apart"
    boxes = {box.key: box for box in layout.boxes}
    assert [line.edge for line in layout.lines] == list(range(len(graph[2])))
    taken: dict[tuple[int, int, bool], int] = {}
    for line in layout.lines:
        source, target = (boxes[key] for key in graph[2][line.edge])
        begin, end = line.points[0], line.points[-1]
        assert source.x < begin[0] < source.x + source.width - 1
        assert begin[1] == source.y + source.height
        assert target.x < end[0] < target.x + target.width - 1
        assert end[1] == target.y - 1
        for (x, y), (to_x, to_y) in zip(line.points, line.points[1:], strict=False):
            assert x == to_x or y == to_y
            for column in range(min(x, to_x), max(x, to_x) + 1):
                for row in range(min(y, to_y), max(y, to_y) + 1):
                    assert 0 <= column < layout.width
                    assert (column, row) not in set(cells)
                    assert taken.setdefault((column, row, x == to_x), line.edge) == line.edge


class TestRealContainers:
    pytestmark = needs_containers

    def test_a_stack_that_runs(self, write_stack):
        stack = write_stack("""
services:
  web: {image: "rootfs:BUSYBOX", command: [sleep, infinity], init: true, scale: 2, depends_on: [job]}
  job: {image: "rootfs:BUSYBOX", command: ["true"]}
""")
        before = stack.run("graph").stdout
        assert "running" not in before
        stack.run("up", "-d")
        nodes = {
            node["name"]: node["state"] for node in json.loads(stack.run("graph", "--format", "json").stdout)["nodes"]
        }
        assert nodes["web"] == "2 running"
        stack.run("down")
        assert stack.run("graph").stdout == before
