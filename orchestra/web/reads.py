"""What pages ask for. Each takes the parameters of the path and of the query, and returns values for JSON."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from orchestra.stacks.apply import review
from orchestra.stacks.events import Span, follow_events
from orchestra.stacks.graph import graph
from orchestra.stacks.history import describe_revision, history
from orchestra.stacks.inspect import Inspector
from orchestra.stacks.plan import PlanOptions, load_for_plan, plan, render_data
from orchestra.stacks.timeline import timeline
from orchestra.web.errors import Refusal
from orchestra.web.shape import event_data, graph_data, inspected_data, revision_data, timeline_data

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from orchestra.model.event import Event
    from orchestra.web.desk import Desk

    Given = Mapping[str, str]
    Data = dict[str, Any]

DAY = 86400.0
MOST = 5000
"""Events, and segments of a timeline, in one answer: the last ones."""


def get_graph(desk: Desk, _given: Given) -> Data:
    return graph_data(graph(desk.context))


def get_container(desk: Desk, given: Given) -> Data:
    found = [each for each in Inspector(desk.context, None).inspect(given["name"]) if each.stack == desk.stack]
    if not found:
        raise Refusal(HTTPStatus.NOT_FOUND, f"no such container: {given['name']}")
    return {"name": found[0].row.name, **inspected_data(found[0].details)}


def get_events(desk: Desk, given: Given) -> Data:
    """Those since a moment: by default a day ago."""
    now = time.time()
    rows: list[Data] = []

    def hear(event: Event) -> None:
        if row := event_data(event):
            rows.append(row)

    follow_events(desk.context, (), Span(_moment(given, now - DAY), now), hear)
    return {"events": sorted(rows, key=lambda row: float(row["at"]))[-MOST:]}


def get_timeline(desk: Desk, given: Given) -> Data:
    """since: a moment; of the last ``up`` without it."""
    since = _moment(given, 0.0)
    return timeline_data(timeline(desk.context, since or None), MOST)


def get_plan(desk: Desk, _given: Given) -> Data:
    """plan: its name, for applying exactly this."""
    options = PlanOptions()
    prepared = load_for_plan(desk.context, options)
    result = plan(desk.context, prepared, options)
    reviewed = review(desk.context, prepared, options, result)
    name = desk.keep(prepared, reviewed) if result.preview.changes else ""
    return {"plan": name, **render_data(result)}


def get_history(desk: Desk, _given: Given) -> Data:
    """The newest first."""
    return {
        "revisions": [
            {
                "number": each.number,
                "at": each.at,
                "user": each.author.user,
                "command": each.author.command,
                "changed": list(each.changed),
            }
            for each in reversed(history(desk.context))
        ]
    }


def get_revision(desk: Desk, given: Given) -> Data:
    return revision_data(describe_revision(desk.context, whole(given["number"])))


def whole(text: object) -> int:
    """Raises Refusal for what is no whole number from 0 up."""
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 10:
        return int(text)
    raise Refusal(HTTPStatus.BAD_REQUEST, f"{text!r} is not a number")


def _moment(given: Given, otherwise: float) -> float:
    text = given.get("since")
    if text is None:
        return otherwise
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e11:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"since: {text!r} is not a Unix time")
    return found
