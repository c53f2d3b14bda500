"""``--format`` as in Docker: ``table``, ``json``, a Go template, or ``table`` and a template for columns."""

from __future__ import annotations

import re

from orchestra.cli.render.columns import render_columns
from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from orchestra.cli.template.execute import Template

TABLE, JSON = "table", "json"


def render_rows(
    format: str,
    header: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    *,
    width: int | None = None,
    expendable: Sequence[str] = (),
    array: bool = False,
) -> str:
    """header: the columns of ``table``: the key of each in the rows, and its heading. Raises UserError.

    width, expendable: as in ``render_columns``, for a table without a template. array: ``json`` is one array,
    not one line per row.
    """
    if format == JSON:
        from orchestra.cli.template.values import to_json

        return f"{to_json(rows)}\n" if array else "".join(f"{to_json(row)}\n" for row in rows)
    if is_table(format):
        cells = [[str(row[key]) for key in header] for row in rows]
        return render_columns(list(header.values()), cells, width=width, expendable=expendable)
    if not format.startswith(TABLE):
        template = _template(format)
        return "".join(f"{template.render(row)}\n" for row in rows)
    template = _template(format, begin=len(TABLE))
    headings = {**{key: _heading(key) for row in rows[:1] for key in row}, **header}
    texts = [template.render_headings(headings), *map(template.render, rows)]
    cells = [line.split("\t") for text in texts for line in text.split("\n")]
    columns = max(map(len, cells))
    first, *others = ([*row, *[""] * (columns - len(row))] for row in cells)
    return render_columns(first, others)


def fill(template: str, value: Any) -> str:
    """Raises UserError for an invalid template, and for names that ``value`` lacks."""
    return _template(template).render(value)


def is_table(format: str) -> bool:
    """Whether the format is a table without a template."""
    return format.strip() in ("", TABLE)


def check_format(format: str) -> None:
    """Raise UserError for mistakes that can be found before there is anything to show."""
    if format != JSON and not is_table(format):
        _template(format, begin=len(TABLE) if format.startswith(TABLE) else 0)


def _template(format: str, *, begin: int = 0) -> Template:
    """begin: where the template begins, except for blanks; text before it only counts for the columns of errors."""
    from orchestra.cli.template.execute import Template

    if "{{" not in format:
        from orchestra.nearest import suggest

        hint = suggest(format, (TABLE, JSON), "formats") + "; a template looks like {{.Name}}"
        raise UserError(f"--format {format}: there is no such format", hint=hint)
    text = format.rstrip(" ")
    return Template(text, begin=len(text) - len(text[begin:].lstrip(" ")))


def _heading(key: str) -> str:
    """``CREATED SINCE`` of ``CreatedSince``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).upper()
