from __future__ import annotations

import pytest

from orchestra.compose.dotenv import DotenvError, parse_dotenv, parse_raw


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=b", {"A": "b"}),
        ("A = b ", {"A": "b"}),
        ("A: b", {"A": "b"}),
        ("export A=b", {"A": "b"}),
        ("exported=b", {"exported": "b"}),
        ("A=b # c", {"A": "b"}),
        ("A=b#c", {"A": "b#c"}),
        ("# all\n\n  # comment\nA=b", {"A": "b"}),
        ("A=", {"A": ""}),
        ("A='$B \\n'", {"A": "$B \\n"}),
        ("A='it\\'s'", {"A": "it's"}),
        ('A="x\\ny\\t\\"z\\""', {"A": 'x\ny\t"z"'}),
        ('A="\\0101"', {"A": "A"}),
        ('A="\\$B"', {"A": "$B"}),
        ('A="one\ntwo"\nB=3', {"A": "one\ntwo", "B": "3"}),
        ('A="b" # c', {"A": "b"}),
        ("A=1\nB=${A}2", {"A": "1", "B": "12"}),
        ("B=${A:-d}", {"B": "d"}),
        ("A=${OUTER}", {"A": "outer"}),
        ("OUTER=own\nA=$OUTER", {"OUTER": "own", "A": "outer"}),
        ("OUTER", {"OUTER": "outer"}),
        ("NOBODY", {}),
        ("\ufeffA=b\r\nB=c\r\n", {"A": "b", "B": "c"}),
        ("a.b-c[0]=d", {"a.b-c[0]": "d"}),
    ],
)
def test_each_form_of_a_line(text, values):
    assert parse_dotenv(text, {"OUTER": "outer"}.get) == values


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("A=1\nA B=2", 2, "unexpected 'B' in the name of a variable"),
        ("A=1\nB='x\n", 2, "the quote ' is never closed"),
        ('A="x', 1, 'the quote " is never closed'),
        ("A=1\n\nB=${C:?needed}", 3, "required variable C is missing a value: needed"),
        ("lo%=1", 1, "unexpected '%' in the name of a variable"),
    ],
)
def test_a_wrong_line_is_named(text, line, message):
    with pytest.raises(DotenvError) as caught:
        parse_dotenv(text, {}.get)
    assert (caught.value.line, caught.value.message) == (line, message)


def test_the_raw_format_takes_lines_as_they_are():
    assert parse_raw("A='q' # $X\n# comment\nB\n") == {"A": "'q' # $X", "B": None}


@pytest.mark.parametrize("value", ['"abc$def"', "abc$def", "abc${def}"])
def test_env_file_unset(folder, value):
    folder.write("app.env", f"A=1\nPASSWORD={value}\n")
    (warning,) = folder.load("services:\n  a: {image: x, env_file: [app.env]}\n").warnings
    assert warning.span.path.endswith("app.env")
    assert warning.span.line == 2
    assert "the variable def is not set" in warning.message
    assert "write $$" in warning.hint
    assert "single quotes" in warning.hint


@pytest.mark.parametrize("value", ["'abc$def'", "abc$$def", "abc$A", "${def:-abc}"])
def test_an_intended_dollar_causes_no_warning(folder, value):
    folder.write("app.env", f"A=1\nPASSWORD={value}\n")
    assert folder.load("services:\n  a: {image: x, env_file: [app.env]}\n").warnings == ()
