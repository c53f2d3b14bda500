"""Both styles of command lines."""

from __future__ import annotations

import pytest

from orchestra.command_line.option import FLAG, LIST, NUMBER, TEXT, Option
from orchestra.command_line.read import Misused, read

OPTIONS = (
    Option("all", ("-a", "--all"), FLAG),
    Option("quiet", ("-q", "--quiet"), FLAG),
    Option("tail", ("-n", "--tail"), NUMBER),
    Option("env", ("-e", "--env"), LIST),
    Option("format", ("--format",), TEXT, choices=("table", "json")),
)
NOTHING = {"all": False, "quiet": False, "tail": None, "env": [], "format": None}


@pytest.mark.parametrize(
    ("line", "values", "others"),
    [
        ("", {}, []),
        ("-aq web", {"all": True, "quiet": True}, ["web"]),
        ("-an5 -e a -eb --env=c", {"all": True, "tail": 5, "env": ["a", "b", "c"]}, []),
        ("web --all -- -q", {"all": True}, ["web", "-q"]),
        ("- --format json", {"format": "json"}, ["-"]),
        ("--all=true --quiet=false", {"all": True}, []),
        ("-a=1 -q=F", {"all": True}, []),
        ("--all --all=false", {}, []),
        ("--env= -n -1", {"env": [""], "tail": -1}, []),
    ],
)
def test_options_and_other_words_in_any_order(line, values, others):
    assert read(OPTIONS, line.split(), interspersed=True) == (NOTHING | values, others)


def test_the_first_other_word_may_end_the_options():
    assert read(OPTIONS, ["-a", "web", "-q"], interspersed=False) == (NOTHING | {"all": True}, ["web", "-q"])
    assert read(OPTIONS, ["-a", "--", "-q", "-n"], interspersed=False) == (NOTHING | {"all": True}, ["-q", "-n"])


def test_one_dash_may_be_as_good_as_two():
    line = ["-all", "--n", "5", "-env=a", "-e", "b"]
    assert read(OPTIONS, line, interspersed=True, letters=False) == (
        NOTHING | {"all": True, "tail": 5, "env": ["a", "b"]},
        [],
    )
    with pytest.raises(Misused, match="unknown option --aq"):
        read(OPTIONS, ["-aq"], interspersed=True, letters=False)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--nothing", "unknown option --nothing"),
        ("-ax", "unknown option -x"),
        ("--tail", "--tail needs a value"),
        ("-an", "-n needs a value"),
        ("-n x", "-n: 'x' is not a number"),
        ("--all=maybe", "--all: expected true or false, not 'maybe'"),
        ("--format xml", "--format: expected one of table, json, not 'xml'"),
    ],
)
def test_what_is_wrong_is_said(line, said):
    with pytest.raises(Misused) as caught:
        read(OPTIONS, line.split(), interspersed=True)
    assert str(caught.value) == said
