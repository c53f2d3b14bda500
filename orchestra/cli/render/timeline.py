"""Time as bars: for a terminal, as an SVG image, or as a page. Pure."""

from __future__ import annotations

from html import escape

from orchestra.cli.render.encoding import spelled
from orchestra.stacks.timeline import Part
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.stacks.timeline import Segment, Timeline

INK = {
    Part.DEPENDENCIES: "#d0d7de",
    Part.HEALTH: "#bf8700",
    Part.RUN: "#8250df",
    Part.PULL: "#0969da",
    Part.BUILD: "#0969da",
    Part.CREATE: "#218bff",
    Part.START: "#1a7f37",
    Part.IDLE: "#ffffff",
}
OTHER_INK = "#6e7781"
CRITICAL_INK = "#cf222e"
NARROWEST = 10
"""Columns that bars have at least."""
ROW, LABEL, BARS, MARGIN = 22, 330, 640, 10
"""Pixels of an image: the height of a row, the widths of names and bars, and what is around them."""


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.2f} s"


def _label(segment: Segment) -> str:
    return f"{segment.subject.removeprefix('container/')}  {segment.part}"


def _is_critical(segment: Segment, found: Timeline) -> bool:
    return any(
        each.subject == segment.subject and each.part == segment.part and each.began == max(segment.began, found.began)
        for each in found.path
    )


def render_text(found: Timeline, width: int, *, colors: bool = False) -> str:
    """width: of the terminal, in columns."""
    marked = [(segment, _is_critical(segment, found)) for segment in found.segments]
    longest = max((len(visible(_label(segment))) for segment, _ in marked), default=0)
    name = max(NARROWEST, min(longest, width // 2))
    room = max(NARROWEST, width - name - 14)
    lines = [f"{_duration(found.seconds)} in all; * is on the critical path"]
    for segment, critical in marked:
        label = visible(_label(segment))
        shown = label if len(label) <= name else f"{label[: name - 1]}…"
        bar = spelled(_bar(segment, found, room, critical=critical))
        if colors and critical:
            bar = f"\033[31m{bar}\033[0m"
        mark = "*" if critical else " "
        failed = " failed" if segment.failed else ""
        lines.append(f"{spelled(shown):{name}} {_duration(segment.seconds):>9} {mark} {bar}{failed}".rstrip())
    lines += ["", "critical path:"]
    for segment in found.path:
        share = segment.seconds / found.seconds if found.seconds else 0.0
        lines.append(f"{_duration(segment.seconds):>9} {share:4.0%}  {visible(_label(segment))}")
    return "".join(f"{line}\n" for line in lines)


def _bar(segment: Segment, found: Timeline, room: int, *, critical: bool) -> str:
    scale = room / found.seconds if found.seconds else 0.0
    began = min(room - 1, int((segment.began - found.began) * scale))
    length = max(1, min(room - began, round(segment.seconds * scale)))
    ink = "░" if segment.part is Part.DEPENDENCIES else "█" if critical else "▒"
    return " " * began + ink * length


def render_svg(found: Timeline) -> str:
    """An image that needs nothing else; phases of the critical path have a red frame, and tooltips tell their times."""
    height = MARGIN * 2 + ROW * (len(found.segments) + 2)
    body = "".join(_svg_rows(found))
    width = LABEL + BARS + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n'
        f'<text x="{MARGIN}" y="{MARGIN + 14}">{_duration(found.seconds)} in all; '
        f"what is framed in red is on the critical path</text>\n{body}</svg>\n"
    )


def _svg_rows(found: Timeline) -> Iterable[str]:
    scale = BARS / found.seconds if found.seconds else 0.0
    for number, segment in enumerate(found.segments):
        y = MARGIN + ROW * (number + 1)
        x = MARGIN + LABEL + (segment.began - found.began) * scale
        length = max(1.0, segment.seconds * scale)
        frame = f' stroke="{CRITICAL_INK}" stroke-width="2"' if _is_critical(segment, found) else ""
        label = escape(visible(_label(segment)))
        told = f"{label}: {_duration(segment.seconds)}{' (failed)' if segment.failed else ''}"
        yield f'<text x="{MARGIN}" y="{y + 14}">{label}</text>\n'
        yield (
            f'<rect x="{x:.1f}" y="{y + 3}" width="{length:.1f}" height="{ROW - 8}" '
            f'fill="{INK.get(segment.part, OTHER_INK)}"{frame}><title>{told}</title></rect>\n'
        )


def render_html(found: Timeline) -> str:
    """A page that needs nothing else."""
    rows = "".join(
        f"<tr><td>{escape(visible(_label(each)))}</td><td>{_duration(each.seconds)}</td></tr>\n" for each in found.path
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Timeline</title></head>\n'
        f'<body style="font-family: sans-serif">\n{render_svg(found)}'
        f"<h2>Critical path</h2>\n<table>\n{rows}</table>\n</body></html>\n"
    )


def to_data(found: Timeline) -> dict[str, object]:
    return {
        "began": found.began,
        "ended": found.ended,
        "seconds": found.seconds,
        "segments": [{**_to_row(each), "critical": _is_critical(each, found)} for each in found.segments],
        "critical_path": [_to_row(each) for each in found.path],
    }


def _to_row(segment: Segment) -> dict[str, object]:
    return {**segment._asdict(), "seconds": segment.seconds}
