"""``--format`` takes table, json, and templates that pick values."""

from __future__ import annotations

import pytest

from orchestra.cli.render.template import fill, render_rows
from orchestra.errors import UserError

ROWS = [{"Name": "one", "CreatedSince": "1 day ago", "Labels": {"b": 1, "a": ["x", "y"]}, "On": True, "None": None}]
HEADER = {"Name": "NAME", "CreatedSince": "CREATED"}


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("table", "NAME   CREATED\none    1 day ago\n"),
        (r"table {{.Name}}\t{{.On}}", "NAME   ON\none    true\n"),
        ("table {{.CreatedSince}}", "CREATED\n1 day ago\n"),
        ("{{.Name}}: {{ .On }}, {{.None}}", "one: true, <no value>\n"),
        ("{{.Labels}}", "map[a:[x y] b:1]\n"),
        ("{{.Labels.a}} {{json .Labels}}", '[x y] {"b": 1, "a": ["x", "y"]}\n'),
        (r"{{json .Name}}\n", '"one"\n\n'),
        ("plain", "plain\n"),
    ],
)
def test_values_are_picked(format, text):
    assert render_rows(format, HEADER, ROWS) == text


def test_the_whole_row_as_json():
    assert render_rows("json", HEADER, [{"a": 1}]) == '{"a": 1}\n'
    assert fill("{{json .}}", {"a": 1}) == '{"a": 1}'


def test_no_rows():
    assert render_rows("table", HEADER, []) == "NAME   CREATED\n"
    assert render_rows("table {{.Name}}", HEADER, []) == "NAME\n"
    assert render_rows("{{.Name}}", HEADER, []) == ""


@pytest.mark.parametrize("format", ["{{range .Labels}}x{{end}}", "{{.Nothing}}", "{{.Name.More}}", "{{.Name", "x}}"])
def test_more_of_go_is_refused(format):
    with pytest.raises(UserError, match="--format"):
        render_rows(format, HEADER, ROWS)
