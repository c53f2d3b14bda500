"""A graph in the formats of other programs, and as an SVG image. Pure."""

from __future__ import annotations

from orchestra.cli.render.picture import INK, describe_edge, lines_of, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.stacks.graph import Graph, Node

COLUMN, ROW = 9, 18
"""Width and height of a cell in pixels."""
SHAPES = {"service": "box", "volume": "cylinder", "network": "hexagon"}
BRACKETS = {"service": ("[", "]"), "volume": ("[(", ")]"), "network": ("{{", "}}")}


def to_data(graph: Graph) -> dict[str, Any]:
    return {
        "stack": graph.stack,
        "nodes": [
            {
                "name": node.name,
                "kind": node.kind,
                "external": node.external,
                "layer": node.layer,
                "state": node.state,
            }
            for node in graph.nodes
        ],
        "edges": [
            {"from": edge.source, "to": edge.target, "condition": edge.condition, "required": edge.required}
            for edge in graph.edges
        ],
    }


def render_dot(graph: Graph) -> str:
    """The graph in the DOT language of Graphviz."""
    lines = [f"digraph {quoted(graph.stack)} {{", "  node [fontname=monospace]"]
    for node in graph.nodes:
        text = "\\n".join(escaped(line) for line in _texts(node))
        lines.append(f'  {quoted(node.key)} [shape={SHAPES[node.kind]}, color="{INK[node.mood]}", label="{text}"]')
    for edge in graph.edges:
        style = "solid" if edge.required else "dashed"
        label = quoted(describe_edge(edge))
        lines.append(f"  {quoted(edge.source)} -> {quoted(edge.target)} [label={label}, style={style}]")
    return "\n".join([*lines, "}", ""])


def render_mermaid(graph: Graph) -> str:
    names = {node.key: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart TD"]
    for node in graph.nodes:
        begin, end = BRACKETS[node.kind]
        text = "<br/>".join(marked_up(line) for line in _texts(node))
        lines.append(f'  {names[node.key]}{begin}"{text}"{end}')
    for edge in graph.edges:
        arrow = "-->" if edge.required else "-.->"
        lines.append(f"  {names[edge.source]} {arrow}|{describe_edge(edge)}| {names[edge.target]}")
    lines += [f"  style {names[node.key]} stroke:{INK[node.mood]}" for node in graph.nodes if node.state]
    return "\n".join([*lines, ""])


def render_svg(graph: Graph) -> str | None:
    """None if the graph has no layout."""
    layout = place(graph)
    if layout is None:
        return None
    nodes = {node.key: node for node in graph.nodes}
    with_states = any(node.state for node in graph.nodes)
    width, height = (layout.width + 2) * COLUMN, (layout.height + 2) * ROW
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="monospace" font-size="14">',
        f"<title>{marked_up(graph.stack)}</title>",
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L10 5L0 10z" fill="#57606a"/></marker></defs>',
    ]
    for line in layout.lines:
        edge = graph.edges[line.edge]
        first, last = line.points[0], line.points[-1]
        points = [(first[0], first[1] - 0.5), *line.points[1:-1], (last[0], last[1] + 0.5)]
        path = " ".join(f"{_x(x):g},{_y(y):g}" for x, y in points)
        dashes = "" if edge.required else ' stroke-dasharray="6 4"'
        lines.append(f'<polyline points="{path}" fill="none" stroke="#57606a" marker-end="url(#head)"{dashes}>')
        told = f"{edge.source} needs {edge.target} ({describe_edge(edge)})"
        lines.append(f"<title>{marked_up(told)}</title></polyline>")
    for box in layout.boxes:
        node = nodes[box.key]
        x, y = (box.x + 1) * COLUMN, (box.y + 1) * ROW
        lines.append(
            f'<rect x="{x}" y="{y}" width="{box.width * COLUMN}" height="{box.height * ROW}" rx="4" fill="white" '
            f'stroke="{INK[node.mood]}"/>'
        )
        for number, text in enumerate(lines_of(node, with_states=with_states), 1):
            at = f'x="{x + box.width * COLUMN / 2:g}" y="{y + (number + 0.75) * ROW:g}"'
            lines.append(f'<text {at} text-anchor="middle" fill="{INK[node.mood]}">{marked_up(text)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _texts(node: Node) -> list[str]:
    return [text for text in lines_of(node, with_states=True) if text]


def _x(column: float) -> float:
    return (column + 1.5) * COLUMN


def _y(row: float) -> float:
    return (row + 1.5) * ROW


def escaped(text: str) -> str:
    """For a string of the DOT language, without its quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def quoted(text: str) -> str:
    """A string of the DOT language."""
    return f'"{escaped(text)}"'


def marked_up(text: str) -> str:
    """For SVG, and for labels of Mermaid."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
