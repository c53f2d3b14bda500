from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestra.compose.nodes import plain
from orchestra.compose.problems import Problems
from orchestra.compose.source import Source, parse_documents
from orchestra.compose.yaml_text import render_yaml

# Surrogates and the characters that YAML excludes cannot be in a file at all.
text = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffe\uffff"), max_size=20)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), text)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3)),
    max_leaves=8,
)


def as_tuples(value: object) -> object:
    if isinstance(value, dict):
        return {key: as_tuples(item) for key, item in value.items()}
    return tuple(as_tuples(item) for item in value) if isinstance(value, list) else value


@given(st.dictionaries(text, values, min_size=1, max_size=4))
def test_what_is_written_reads_back_the_same(value):
    problems = Problems()
    (document,) = parse_documents(Source("f", render_yaml(value)), problems)
    assert problems.errors == ()
    assert plain(document) == as_tuples(value)


def test_the_text_is_block_style():
    value = {
        "a": {"b": ["x", {"c": 1, "d": None}]},
        "e": [],
        "f": "two\nlines\n",
        "g": "yes",
        "h": "22:22",
        "i": "a: b",
    }
    assert render_yaml(value) == (
        'a:\n  b:\n    - x\n    - c: 1\n      d: null\ne: []\nf: |\n  two\n  lines\ng: "yes"\nh: "22:22"\ni: "a: b"\n'
    )
