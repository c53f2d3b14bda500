"""Boxes and arrows as SVG. Lengths are pixels; text is set in the reader's sans-serif font."""

from __future__ import annotations

from html import escape

_STYLE = """
svg { font: 14px system-ui, sans-serif; }
.paper { fill: #fff; }
.box { fill: #eef2fa; stroke: #5a6fa5; } .strong { fill: #dbe6fb; stroke: #2f57b5; }
.frame { fill: none; stroke: #8a94a8; stroke-dasharray: 5 4; } .line { fill: none; stroke: #4a5670; stroke-width: 1.5; }
.tip { fill: #4a5670; } text { fill: #1b2333; } .small { font-size: 12px; fill: #4d586c; } .name { font-weight: 600; }
@media (prefers-color-scheme: dark) {
.paper { fill: #14171f; }
.box { fill: #262c3a; stroke: #8fa3d6; } .strong { fill: #2b3a5e; stroke: #9db7f5; } .frame { stroke: #7c879c; }
.line { stroke: #aab5cc; } .tip { fill: #aab5cc; } text { fill: #e8ecf5; } .small { fill: #b4bdd0; }
}
"""


class Drawing:
    """title: what is to be seen, for readers who do not see it."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img">\n<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n<defs><marker id="tip" '
            'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse">'
            '<path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>\n'
            f'<rect class="paper" x="0" y="0" width="{width}" height="{height}" rx="8"/>\n'
        )
        self._parts: list[str] = []

    def box(self, x: int, y: int, width: int, height: int, name: str, *lines: str, kind: str = "box") -> Drawing:
        """A box with a name and smaller lines below it, centred. kind: ``box``, ``strong``."""
        self._parts.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>')
        top = y + height / 2 - 8.5 * len(lines) + 5
        self.text(x + width // 2, top, name, kind="name")
        for number, line in enumerate(lines, 1):
            self.text(x + width // 2, top + 17 * number, line, kind="small")
        return self

    def frame(self, x: int, y: int, width: int, height: int, label: str) -> Drawing:
        """A dashed border around what belongs together, with its name at the upper left."""
        self._parts.append(f'<rect class="frame" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>')
        return self.text(x + 10, y + 18, label, kind="small", anchor="start")

    def arrow(self, *points: tuple[int, int], label: str = "", at: tuple[int, int] | None = None) -> Drawing:
        """A line through the points, with a tip at the last one. at: the middle of the label."""
        path = "M" + " ".join(f"{x} {y}" for x, y in points)
        self._parts.append(f'<path class="line" d="{path}" marker-end="url(#tip)"/>')
        if label:
            (x, y), (other_x, other_y) = points[0], points[-1]
            self.text(*(at or ((x + other_x) // 2, (y + other_y) // 2 - 6)), label, kind="small")
        return self

    def text(self, x: float, y: float, text: str, *, kind: str = "small", anchor: str = "middle") -> Drawing:
        place = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
        self._parts.append(f'<text class="{kind}" {place}>{escape(text)}</text>')
        return self

    def render(self) -> str:
        return self._head + "\n".join(self._parts) + "\n</svg>\n"
