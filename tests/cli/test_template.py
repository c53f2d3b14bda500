"""``--format`` takes table, json, and the part of Go's templates that Docker's own examples use."""

from __future__ import annotations

import pytest

from orchestra.cli.render.template import fill, render_rows
from orchestra.cli.template.values import Lazy, Method
from orchestra.errors import UserError

ROWS = [{"Name": "one", "CreatedSince": "1 day ago", "Labels": {"b": 1, "a": ["x", "y"]}, "On": True, "None": None}]
HEADER = {"Name": "NAME", "CreatedSince": "CREATED"}
ROW = {
    "Name": "web-1",
    "Ports": [{"Target": 80, "Host": "0.0.0.0"}, {"Target": 443, "Host": "::"}],
    "Labels": {"tier": "front", "app": "shop"},
    "Networks": "back,front",
    "Count": 3,
    "Ratio": 0.5,
    "Empty": "",
    "Off": False,
    "Size": Lazy(lambda: "12kB"),
    "Label": Method(lambda name: f"<{name}>"),
}


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("table", "NAME   CREATED\none    1 day ago\n"),
        ("", "NAME   CREATED\none    1 day ago\n"),
        (r"table {{.Name}}\t{{.On}}", "NAME   ON\none    true\n"),
        ("table{{.Name}}", "NAME\none\n"),
        ("table {{.CreatedSince}}", "CREATED\n1 day ago\n"),
        (r"table {{upper .Name}}\t{{range .Labels.a}}{{.}};{{end}}", "NAME\nONE    x;y;\n"),
        (
            r"table {{.Name}}{{if .On}}\t{{.CreatedSince}}\nmore{{end}}",
            "NAME   CREATED\nmore\none    1 day ago\nmore\n",
        ),
        ("{{.Name}}: {{ .On }}, {{.None}}", "one: true, <no value>\n"),
        ("{{.Labels}}", "map[a:[x y] b:1]\n"),
        ("{{.Labels.a}} {{json .Labels}}", '[x y] {"b":1,"a":["x","y"]}\n'),
        (r"{{json .Name}}\n", '"one"\n\n'),
    ],
)
def test_rows_are_shown(format, text):
    assert render_rows(format, HEADER, ROWS) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{upper .Name}} {{.Name | upper}} {{title .Name}} {{lower \"AbC\"}}", "WEB-1 WEB-1 Web-1 abc"),
        ('{{join (split .Networks ",") " + "}}', "back + front"),
        ('{{split .Networks "," | len}} {{len .Ports}} {{len .Labels}} {{len "é"}}', "2 2 2 2"),
        ("{{range .Ports}}{{.Host}}:{{.Target}} {{end}}", "0.0.0.0:80 :::443 "),
        ("{{range $i, $p := .Ports}}{{$i}}={{$p.Target}} {{$.Count}};{{end}}", "0=80 3;1=443 3;"),
        ("{{range $key, $value := .Labels}}{{$key}}={{$value}},{{end}}", "app=shop,tier=front,"),
        ("{{range .Empty | len}}x{{else}}none{{end}}{{range 3}}{{.}}{{end}}", "none012"),
        ("{{if .Off}}on{{else if .Count}}count{{else}}off{{end}}", "count"),
        ("{{if and .Count (not .Off)}}yes{{end}}{{if or .Off .Empty}}no{{end}}", "yes"),
        ('{{if eq .Name "db" "web-1"}}is{{end}} {{ne .Count 3}} {{lt .Count 5}}', "is false true"),
        ("{{with .Labels}}{{.tier}}{{end}}{{with .Empty}}x{{else}}y{{end}}", "fronty"),
        (r'{{.Name}}{{"\t"}}{{.Count}}{{`\t`}}{{"é\x41"}}', "web-1\t3\\té\\xe9".replace("\\xe9", "A")),
        ("a  {{- .Count -}}  b {{/* nothing */}}c {{- /* nothing */ -}} d", "a3b cd"),
        ("{{println .Name .Count}}{{print .Count .Count .Name}}", "web-1 3\n3 3web-1"),
        ('{{printf "%-7s|%3d|%q|%v|%.2f%%" .Name .Count .Name .Off .Ratio}}', 'web-1  |  3|"web-1"|false|0.50%'),
        ("{{index .Labels \"tier\"}}{{index .Labels \"x\"}}{{(index .Ports 1).Target}}", "front443"),
        ('{{slice .Name 0 3}} {{truncate .Name 2}}{{pad .Name 1 2}}.{{pad .Empty 1 2}}', "web we web-1  ."),
        ("{{$x := 1}}{{range .Ports}}{{$x = .Target}}{{end}}{{$x}}", "443"),
        ('{{.Size}} {{.Label "a"}} {{"b" | .Label}}', "12kB <a> <b>"),
        ("{{json .Ports}}", '[{"Target":80,"Host":"0.0.0.0"},{"Target":443,"Host":"::"}]'),
        ("{{.Off}} {{nil | print}} {{-1}}", "false <no value> -1"),
        ('{{"\x1b[31m" | print}}', "\\x1b[31m"),
    ],
)  # fmt: skip
def test_templates_are_executed(template, text):
    assert fill(template, ROW) == text


def test_the_whole_row_as_json():
    assert render_rows("json", HEADER, [{"a": 1}, {"a": 2}]) == '{"a":1}\n{"a":2}\n'
    assert render_rows("json", HEADER, [{"a": 1}, {"a": 2}], array=True) == '[{"a":1},{"a":2}]\n'
    assert fill("{{json .}}", {"a": Lazy(lambda: 1), "b": Method(len)}) == '{"a":1}'


def test_no_rows():
    assert render_rows("table", HEADER, []) == "NAME   CREATED\n"
    assert render_rows("table {{.Name}}", HEADER, []) == "NAME\n"
    assert render_rows("{{.Name}}", HEADER, []) == ""


@pytest.mark.parametrize(
    ("format", "column", "message", "hint"),
    [
        ("{{.Nam}}", 3, "there is no .Nam", "did you mean .Name?"),
        ("{{.name}}", 3, "there is no .name", "did you mean .Name?"),
        ("{{.Name.More}}", 3, "there is no .More in web-1", ""),
        ("{{.Name", 1, "{{ is not closed", "}}"),
        ("table  {{uper .Name}}", 10, "there is no function uper", "did you mean upper?"),
        ('{{template "x"}}', 3, "template of Go's templates is not supported", "--format json"),
        ("{{if .Name}}x", 3, "if has no end", "{{end}}"),
        ("{{range .Name}}x{{end}}", 9, "range takes a list or a map, not web-1", "split"),
        ("x{{end}}", 4, "there is no block for end", "begin one"),
        ("{{else}}", 3, "there is no block for else", "begin one"),
        ("{{$y}}", 3, "there is no variable $y", "declares one"),
        ("{{if .Off}}{{$y := 1}}{{end}}{{$y}}", 32, "there is no variable $y", "declares one"),
        ("{{join .Name \",\"}}", 3, "join takes a list, not web-1", ""),
        ("{{upper .Count}}", 3, "upper takes a string, not 3", ""),
        ("{{upper}}", 3, "upper does not take 0 values", ""),
        ("{{and}}", 3, "and does not take 0 values", ""),
        ("{{eq .Name 1}}", 3, "cannot compare web-1 with 1", ""),
        ("{{index .Ports 7}}", 3, "index has no item 7: there are 2", ""),
        ('{{printf "%d" .Name}}', 3, "printf cannot show web-1 as %d", ""),
        ("{{.Label}}", 3, ".Label needs a name", ""),
        ('{{.Name "x"}}', 3, "only a function takes values", ""),
        ("{{.Name | .Count}}", 11, "only a function takes values", ""),
        ("{{(upper .Name}}", 3, "( is not closed", ""),
        ('{{"x}}', 3, "the string is not closed", ""),
        ("{{}}", 3, "a value is missing", ""),
        ("{{.Name ; }}", 9, "';' is not expected here", ""),
        ("{{/* x }}", 1, "the comment is not closed", ""),
        ("{{.Name)}}", 8, ") is not expected here", ""),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_its_column(format, column, message, hint):
    with pytest.raises(UserError) as raised:
        render_rows(format, {"Name": "NAME"}, [ROW])
    assert f"--format: column {column}: " in raised.value.message
    assert message in raised.value.message
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("format", "hint"),
    [("tabel", "did you mean table?"), ("JSON", "did you mean json?"), ("yaml", "json, table"), ("x}}", "")],
)
def test_a_word_that_is_no_format_is_refused(format, hint):
    with pytest.raises(UserError, match=f"--format {format}: there is no such format") as raised:
        render_rows(format, HEADER, ROWS)
    assert hint in raised.value.hint
