"""A graph as a picture for a terminal, or as a list if that is too wide. Pure."""

from __future__ import annotations

from orchestra.cli.render.encoding import spelled
from orchestra.cli.render.layers import lay_out
from orchestra.cli.render.narrow import wrap
from orchestra.stacks.graph import Mood

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.cli.render.layers import Box, Layout, Line
    from orchestra.stacks.graph import Edge, Graph, Node

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
STROKES = {
    UP | DOWN: "│",
    LEFT | RIGHT: "─",
    UP | RIGHT: "└",
    UP | LEFT: "┘",
    DOWN | RIGHT: "┌",
    DOWN | LEFT: "┐",
    UP | DOWN | LEFT | RIGHT: "┼",
}
HEADS = {
    ("service_started", True): "▼",
    ("service_healthy", True): "♥",
    ("service_completed_successfully", True): "✔",
    ("service_started", False): "▽",
    ("service_healthy", False): "♡",
    ("service_completed_successfully", False): "✓",
    ("", True): "●",
}
MEANINGS = {"service_started": "started", "service_healthy": "healthy", "service_completed_successfully": "completed"}
COLORS = {Mood.GOOD: "32", Mood.CHANGING: "33", Mood.BAD: "31", Mood.DONE: "2"}
INK = {Mood.GOOD: "#1a7f37", Mood.CHANGING: "#9a6700", Mood.BAD: "#cf222e", Mood.DONE: "#6e7781", Mood.NONE: "#24292f"}


def describe_edge(edge: Edge) -> str:
    """``healthy``, ``completed, optional``; ``used``."""
    return (MEANINGS.get(edge.condition) or "used") + ("" if edge.required else ", optional")


def lines_of(node: Node, *, with_states: bool) -> list[str]:
    """The lines in the box of a node."""
    name = f"{node.key} (external)" if node.external else node.key
    return [name, node.state] if with_states else [name]


def place(graph: Graph) -> Layout | None:
    """Place the node with the deepest dependencies at the top."""
    with_states = any(node.state for node in graph.nodes)
    top = max((node.layer for node in graph.nodes), default=-1)
    layers = [[node.key for node in graph.nodes if node.layer == layer] for layer in range(top, -1, -1)]
    texts = {node.key: max(map(len, lines_of(node, with_states=with_states))) for node in graph.nodes}
    return lay_out(layers, texts, [(edge.source, edge.target) for edge in graph.edges], 4 if with_states else 3)


def render_picture(graph: Graph, width: int | None, *, colors: bool) -> str:
    """width: columns of the terminal, None for no limit."""
    layout = place(graph)
    if layout is None or (width is not None and layout.width > width):
        return render_list(graph, width, colors=colors)
    legend = _legend(graph.edges)
    text = _Canvas(layout).draw(graph, layout, colors=colors)
    return spelled(
        text + "".join(f"{line}\n" for line in (["", *wrap(legend, width or len(legend))] if legend else []))
    )


def render_list(graph: Graph, width: int | None, *, colors: bool) -> str:
    """A paragraph for each node, the one with the deepest dependencies first."""
    text = ""
    for node in sorted(graph.nodes, key=lambda each: (-each.layer, each.key)):
        title = node.key + (" (external)" if node.external else "")
        text += title + (f": {_paint(node.state, node.mood, colors=colors)}" if node.state else "") + "\n"
        for edge in graph.edges:
            if edge.source == node.key:
                entry = f"needs {edge.target} ({describe_edge(edge)})"
                text += "".join(f"  {line}\n" for line in wrap(entry, (width or len(entry) + 2) - 2))
    return spelled(text)


def _legend(edges: Sequence[Edge]) -> str:
    shown = {(edge.condition, edge.required): describe_edge(edge) for edge in edges}
    return ", ".join(f"{head} {shown[key].replace(', ', ' ')}" for key, head in HEADS.items() if key in shown)


def _paint(text: str, mood: Mood, *, colors: bool) -> str:
    return f"\033[{COLORS[mood]}m{text}\033[0m" if colors and mood in COLORS and text else text


class _Canvas:
    """Cells, each with the directions in which lines leave it, or with a character."""

    def __init__(self, layout: Layout) -> None:
        self._directions = [[0] * layout.width for _ in range(layout.height)]
        self._characters: dict[tuple[int, int], str] = {}

    def draw(self, graph: Graph, layout: Layout, *, colors: bool) -> str:
        nodes = {node.key: node for node in graph.nodes}
        with_states = any(node.state for node in graph.nodes)
        for line in layout.lines:
            self._line(line, graph.edges[line.edge])
        for box in layout.boxes:
            self._box(box, lines_of(nodes[box.key], with_states=with_states))
        painted = self._paint(layout, nodes) if colors else {}
        return "".join(f"{self._row(number, painted)}\n" for number in range(layout.height))

    def _line(self, line: Line, edge: Edge) -> None:
        for (x, y), (to_x, to_y) in zip(line.points, line.points[1:], strict=False):
            if x == to_x:
                for row in range(y, to_y + 1):
                    self._directions[row][x] |= (UP if row > y else 0) | (DOWN if row < to_y else 0)
            else:
                low, high = sorted((x, to_x))
                for column in range(low, high + 1):
                    self._directions[y][column] |= (LEFT if column > low else 0) | (RIGHT if column < high else 0)
        begin, end = line.points[0], line.points[-1]
        self._directions[begin[1]][begin[0]] |= UP
        self._characters[begin[0], begin[1] - 1] = "┬"
        self._characters[end] = HEADS[edge.condition, edge.required]

    def _box(self, box: Box, texts: Sequence[str]) -> None:
        right, bottom = box.x + box.width - 1, box.y + box.height - 1
        for column in range(box.x, right + 1):
            self._characters.setdefault((column, box.y), "─")
            self._characters.setdefault((column, bottom), "─")
        for row in range(box.y, bottom + 1):
            for column, corners in ((box.x, "┌└│"), (right, "┐┘│")):
                self._characters[column, row] = corners[0 if row == box.y else 1 if row == bottom else 2]
        for row, text in enumerate(texts, box.y + 1):
            for column, character in enumerate(text.center(box.width - 2), box.x + 1):
                self._characters[column, row] = character

    def _paint(self, layout: Layout, nodes: Mapping[str, Node]) -> dict[tuple[int, int], str]:
        """Control sequences before cells: the inside of boxes has the colour of the state."""
        found: dict[tuple[int, int], str] = {}
        for box in layout.boxes:
            code = COLORS.get(nodes[box.key].mood)
            for row in range(box.y + 1, box.y + box.height - 1) if code else ():
                found[box.x + 1, row] = f"\033[{code}m"
                found[box.x + box.width - 1, row] = "\033[0m"
        return found

    def _row(self, y: int, painted: Mapping[tuple[int, int], str]) -> str:
        cells = (
            painted.get((x, y), "") + (self._characters.get((x, y)) or STROKES.get(bits, " "))
            for x, bits in enumerate(self._directions[y])
        )
        return "".join(cells).rstrip()
