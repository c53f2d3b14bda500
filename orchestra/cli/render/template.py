"""``--format`` as Docker has it: ``table``, ``json``, or the plainest of Go's templates.

Of the templates there is what picks values: ``{{.Name}}``, ``{{.Config.Env}}`` and ``{{json .Name}}``, with any text
around, and ``table`` before for columns.
"""

from __future__ import annotations

import json
import re

from orchestra.cli.render.columns import render_columns
from orchestra.errors import UserError
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_ACTION = re.compile(r"\{\{-?\s*(json\s+)?(\.[A-Za-z0-9_.]*)\s*-?\}\}")
_ESCAPES = {r"\t": "\t", r"\n": "\n"}


def render_rows(
    format: str,
    header: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    *,
    width: int | None = None,
    expendable: Sequence[str] = (),
) -> str:
    """header: the columns of ``table``: the key of each in the rows, and its heading. Raises UserError.

    width, expendable: as of ``render_columns``, for the table that no template asked for.
    """
    if format == "json":
        return "".join(f"{json.dumps(row)}\n" for row in rows)
    word, _, template = format.partition(" ")
    if word != "table":
        return "".join(f"{fill(format, row)}\n" for row in rows)
    if not template.strip():
        cells = [[str(row[key]) for key in header] for row in rows]
        return render_columns(list(header.values()), cells, width=width, expendable=expendable)
    lines = [fill(template.strip(), row).split("\t") for row in rows]
    headings = {key: header.get(key) or _heading(key) for row in rows[:1] for key in row}
    first = fill(template.strip(), headings or header).split("\t")
    return render_columns(first, lines)


def fill(template: str, value: Mapping[str, Any]) -> str:
    """Raises UserError for what is no such template, and for names that ``value`` lacks."""
    for escape, character in _ESCAPES.items():
        template = template.replace(escape, character)
    rest = _ACTION.sub("", template)
    if "{{" in rest or "}}" in rest:
        raise UserError(
            f"--format {template}: of Go's templates only {{{{.Name}}}} and {{{{json .Name}}}} are understood",
            hint="use --format json and a program such as jq for more",
        )
    return _ACTION.sub(lambda match: _found(value, match[2], as_json=bool(match[1])), template)


def _found(value: Any, path: str, *, as_json: bool) -> str:
    for name in filter(None, path.split(".")):
        if not isinstance(value, dict) or name not in value:
            there = f"there are {', '.join(value)}" if isinstance(value, dict) else ""
            raise UserError(f"--format: there is no {path}", hint=there)
        value = value[name]
    return json.dumps(value) if as_json else _plain(value)


def _plain(value: Any) -> str:
    """As Go prints it."""
    match value:
        case None:
            return "<no value>"
        case bool():
            return str(value).lower()
        case dict():
            return f"map[{' '.join(f'{key}:{_plain(value[key])}' for key in sorted(value))}]"
        case list() | tuple():
            return f"[{' '.join(map(_plain, value))}]"
        case _:
            return visible(str(value), lines=True)


def _heading(key: str) -> str:
    """``CREATED SINCE`` of ``CreatedSince``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).upper()
