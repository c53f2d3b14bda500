from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.compose.interpolate import InterpolationError, interpolate, substitute
from orchestra.compose.nodes import plain
from orchestra.compose.problems import Problems
from orchestra.compose.source import Source, parse_documents

VALUES = {"FULL": "full", "EMPTY": "", "JSON": '{"a":2}'}


def expand(text: str) -> tuple[str, list[str]]:
    unset: list[str] = []
    return substitute(text, VALUES.get, lambda name, _offset: unset.append(name)), unset


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$FULL-x", "full-x"),
        ("${FULL}", "full"),
        ("$$FULL", "$FULL"),
        ("$${FULL}", "${FULL}"),
        ("a $ b", "a $ b"),
        ("^x$", "^x$"),
        ("$1", "$1"),
        ("${FULL:-word}", "full"),
        ("${EMPTY:-word}", "word"),
        ("${EMPTY-word}", ""),
        ("${NONE-word}", "word"),
        ("${FULL:+word}", "word"),
        ("${EMPTY:+word}", ""),
        ("${EMPTY+word}", "word"),
        ("${NONE+word}", ""),
        ("${FULL:?no}", "full"),
        ("${EMPTY?no}", ""),
        ("${NONE:-${EMPTY:-$FULL}}", "full"),
        ("${NONE:-${FULL} ${FULL}}", "full full"),
        ('${NONE:-{"a":1}}!', '{"a":1}!'),
        ("${NONE-a?b}", "a?b"),
        ("${NONE:-$$x}", "$x"),
    ],
)
def test_each_operator(text, result):
    assert expand(text) == (result, [])


def test_a_variable_without_value_is_empty_and_reported():
    assert expand("[$NONE ${NADA}]") == ("[ ]", ["NONE", "NADA"])


@pytest.mark.parametrize("text", ["${FULL:-$NONE}", "${NONE:+$NADA}", "${FULL:?$NONE}"])
def test_a_branch_not_taken_is_not_looked_at(text):
    assert expand(text)[1] == []


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("ab ${NONE:?say so}", "required variable NONE is missing a value: say so", 3),
        ("${EMPTY:?}", "required variable EMPTY is missing a value", 0),
        ("${NONE?${FULL}}", "required variable NONE is missing a value: full", 0),
        ("${NONE:-x${NADA:?deep}}", "required variable NADA is missing a value: deep", 9),
        ("x${", "${ is not a valid variable reference", 1),
        ("${}", "${} is not a valid variable reference", 0),
        ("${ A}", "${ A} is not a valid variable reference", 0),
        ("${A!}", "${A!} is not a valid variable reference", 0),
    ],
)
def test_an_error_says_what_and_where_in_the_text(text, message, offset):
    with pytest.raises(InterpolationError) as caught:
        expand(text)
    assert (caught.value.message, caught.value.offset) == (message, offset)


@given(st.text(alphabet=st.characters(exclude_characters="$")))
def test_text_without_dollars_is_left_alone(text):
    assert expand(text) == (text, [])


@given(st.text())
def test_doubling_every_dollar_keeps_the_text(text):
    assert expand(text.replace("$", "$$")) == (text, [])


def run(text: str) -> tuple[object, Problems]:
    problems = Problems()
    (document,) = parse_documents(Source("f", text), problems)
    return plain(interpolate(document, VALUES.get, problems)), problems


def test_values_are_interpolated_and_keys_are_not():
    assert run("$FULL: $FULL\nlist: ['${FULL}', 5]\n")[0] == {"$FULL": "full", "list": ("full", 5)}


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: x ${NONE:?y}\n", 1, 6),
        ('a: "x ${NONE:?y}"\n', 1, 7),
        ("a: |\n  first $FULL\n  second ${NONE:?y}\n", 3, 10),
        ('a: "$$ \\" ${NONE:?y}"\n', 1, 11),
        ("a:\n  - 'one'\n  - k=${NONE:?y}\n", 3, 7),
    ],
)
def test_an_error_points_inside_the_scalar(text, line, column):
    _, problems = run(text)
    (error,) = problems.errors
    assert error.span is not None
    assert (error.span.line, error.span.column) == (line, column)
    assert error.source_line[error.span.column - 1 :].startswith("${NONE")
