"""The beginning of a command line is read as the whole line would be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestra.command_line.option import FLAG, LIST, NUMBER, TEXT, Option
from orchestra.command_line.read import Misused, read
from orchestra.command_line.unfinished import Unfinished

OPTIONS = (
    Option("all", ("-a", "--all"), FLAG),
    Option("quiet", ("-q",), FLAG),
    Option("name", ("-n", "--name"), TEXT),
    Option("each", ("-e", "--each"), LIST),
    Option("number", ("--number",), NUMBER),
    Option("color", ("--color",), TEXT, default="auto", choices=("auto", "never")),
)
PLAIN = ("web", "-", "--", "12", "-3", "x", "never")
LETTERS = ("-a", "-q", "-aq", "-qn5", "-n", "-nx", "-n=x", "-a=false", "-e", "-z", "-za")
LONG = ("--all", "--all=no", "--all=true", "--name", "--name=", "--name=x", "--each", "--each=y", "--unknown")
VALUED = ("--number", "--number=7", "--number=x", "--color", "--color=never", "--color=red")
WORDS = st.sampled_from((*PLAIN, *LETTERS, *LONG, *VALUED))


@given(words=st.lists(WORDS, max_size=6), interspersed=st.booleans())
def test_what_is_a_whole_command_line_is_read_alike(words, interspersed):
    unfinished = Unfinished(OPTIONS, words, interspersed=interspersed)
    try:
        values, others = read(OPTIONS, words, interspersed=interspersed)
    except Misused:
        return
    assert (unfinished.values, unfinished.others) == (values, others)
    assert unfinished.awaited is None


def test_the_option_whose_value_is_missing_is_known():
    for words in (["--name"], ["-n"], ["-aqn"], ["web", "-e", "x", "-n"]):
        awaited = Unfinished(OPTIONS, words, interspersed=True).awaited
        assert awaited is not None
        assert awaited.name == "name"


def test_what_is_wrong_is_passed_over():
    unfinished = Unfinished(OPTIONS, ["--bogus", "-a", "--color=red", "--number", "x", "web"], interspersed=True)
    assert unfinished.values["all"] is True
    assert unfinished.values["color"] == "auto"
    assert unfinished.values["number"] is None
    assert unfinished.others == ["web"]
    assert unfinished.given == {"all", "color", "number"}
