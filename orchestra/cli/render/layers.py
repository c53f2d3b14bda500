"""Lays out the boxes of a layered graph and the lines between them, in cells of a terminal. Pure.

A layer is a row of boxes, and an edge leads from a box to one in a layer below. Where it crosses one, it gets a place
of one cell. Between two layers is a channel: each edge goes down in a column of its own, along one of the
channel's tracks, and down again. Lines cross, but never lie on each other.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GAP = 2
"""Number of columns between two boxes."""
SWEEPS = 4
MARGIN = 4
"""Number of columns of a box beside its text."""


class Box(Record):
    """x, y: position of its upper left cell; width and height include the frame."""

    key: str
    x: int
    y: int
    width: int
    height: int


class Line(Record):
    """edge: which one of those that were given. points: cells where it begins, turns and ends, just outside boxes."""

    edge: int
    points: tuple[tuple[int, int], ...]


class Layout(Record):
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: int
    height: int


class _Place:
    """A box, or one cell of a passing edge. uppers, lowers: places that its edges come from and lead to."""

    def __init__(self, key: str, text: int) -> None:
        self.key = key
        self.text = text
        self.uppers: list[_Segment] = []
        self.lowers: list[_Segment] = []
        self.x = 0
        self.position = 0.0

    @property
    def width(self) -> int:
        if not self.text:
            return 1
        return max(self.text + MARGIN, 2 * max(len(self.uppers), len(self.lowers)) + 1)

    def column(self, number: int, count: int) -> int:
        """The column of line ``number`` out of ``count``, spread evenly around the middle."""
        return self.x + self.offset(number, count)

    def offset(self, number: int, count: int) -> int:
        return self.width // 2 - (count - 1) + 2 * number


class _Segment:
    """A part of an edge from one layer to the next. begin, end: columns."""

    def __init__(self, edge: int, upper: _Place, lower: _Place) -> None:
        self.edge = edge
        self.upper = upper
        self.lower = lower
        self.begin = self.end = self.track = 0
        upper.lowers.append(self)
        lower.uppers.append(self)


def lay_out(
    layers: Sequence[Sequence[str]], texts: Mapping[str, int], edges: Sequence[tuple[str, str]], height: int
) -> Layout | None:
    """layers: keys, the top layer first. texts: width of each key's text. height: of a box.

    Returns None for the rare graph whose lines would overlap.
    """
    if not layers:
        return Layout((), (), 0, 0)
    rows, segments = _place(layers, texts, edges)
    for _ in range(SWEEPS):
        for row in rows[1:]:
            _sort(row, [[segment.upper for segment in place.uppers] for place in row])
        for row in rows[-2::-1]:
            _sort(row, [[segment.lower for segment in place.lowers] for place in row])
    for row in rows:
        _spread(row)
    tracks = [_choose_tracks(channel) for channel in segments]
    if any(count < 0 for count in tracks):
        return None
    tops = [0]
    for count in tracks:
        tops.append(tops[-1] + height + count + 2)
    boxes = tuple(
        Box(place.key, place.x, top, place.width, height)
        for row, top in zip(rows, tops, strict=True)
        for place in row
        if place.text
    )
    lines: dict[int, list[tuple[int, int]]] = {}
    for channel, top in zip(segments, tops, strict=False):
        for each in channel:
            below = tops[tops.index(top) + 1] - 1
            turn = top + height + 1 + each.track
            corners = [] if each.begin == each.end else [(each.begin, turn), (each.end, turn)]
            lines.setdefault(each.edge, []).extend([(each.begin, top + height), *corners, (each.end, below)])
    width = max((place.x + place.width for row in rows for place in row), default=0)
    found = tuple(Line(edge, tuple(points)) for edge, points in sorted(lines.items()))
    return Layout(boxes, found, width, tops[-1] + height)


def _place(
    layers: Sequence[Sequence[str]], texts: Mapping[str, int], edges: Sequence[tuple[str, str]]
) -> tuple[list[list[_Place]], list[list[_Segment]]]:
    """The places of each layer, and the segments of each channel."""
    rows = [[_Place(key, texts[key]) for key in layer] for layer in layers]
    level = {place.key: number for number, row in enumerate(rows) for place in row}
    by_key = {place.key: place for row in rows for place in row}
    segments: list[list[_Segment]] = [[] for _ in rows[1:]]
    for number, (source, target) in enumerate(edges):
        upper = by_key[source]
        for between in range(level[source] + 1, level[target] + 1):
            passing = between < level[target]
            lower = _Place("", 0) if passing else by_key[target]
            if passing:
                rows[between].append(lower)
            segments[between - 1].append(_Segment(number, upper, lower))
            upper = lower
    for row in rows:
        for position, place in enumerate(row):
            place.position = position
    return rows, segments


def _sort(row: list[_Place], neighbours: Sequence[Sequence[_Place]]) -> None:
    """Sort places by the mean position of their neighbours, if they have any."""
    for place, others in zip(row, neighbours, strict=True):
        if others:
            place.position = sum(other.position for other in others) / len(others)
    row.sort(key=lambda place: place.position)
    for position, place in enumerate(row):
        place.position = position


def _spread(row: Sequence[_Place]) -> None:
    """Place boxes from the left, each below what leads to it if there is room; then choose the columns of lines."""
    free = 0
    for place in row:
        place.uppers.sort(key=lambda each: each.begin)
        place.x = free
        if place.uppers:
            middle = place.uppers[(len(place.uppers) - 1) // 2]
            place.x = max(free, middle.begin - place.offset(place.uppers.index(middle), len(place.uppers)))
        free = place.x + place.width + GAP
        for number, segment in enumerate(place.uppers):
            segment.end = place.column(number, len(place.uppers))
        place.lowers.sort(key=lambda each: each.lower.position)
        for number, segment in enumerate(place.lowers):
            segment.begin = place.column(number, len(place.lowers))


def _choose_tracks(channel: Sequence[_Segment]) -> int:
    """Return the number of tracks; -1 if there is no valid order.

    A line that comes from above in the column that another one leaves by must turn before that one arrives there.
    """
    turning = [each for each in channel if each.begin != each.end]
    by_begin = {each.begin: number for number, each in enumerate(turning)}
    earlier = {number: {by_begin[each.end]} for number, each in enumerate(turning) if each.end in by_begin}
    try:
        order = list(
            TopologicalSorter({number: earlier.get(number, ()) for number in range(len(turning))}).static_order()
        )
    except CycleError:
        return -1
    taken: list[list[tuple[int, int]]] = []
    for number in order:
        each = turning[number]
        low, high = sorted((each.begin, each.end))
        track = max((turning[other].track + 1 for other in earlier.get(number, ())), default=0)
        while track < len(taken) and any(low - 1 <= end and begin - 1 <= high for begin, end in taken[track]):
            track += 1
        taken += [[] for _ in range(track + 1 - len(taken))]
        taken[track].append((low, high))
        each.track = track
    return len(taken)
