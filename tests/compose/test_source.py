from __future__ import annotations

import pytest

from orchestra.compose.nodes import Map, find, locate, plain
from orchestra.compose.problems import Problems
from orchestra.compose.source import MAXIMUM_NODES, Source, parse_documents
from orchestra.errors import Span


def parse(text: str, problems: Problems | None = None) -> Map:
    problems = problems or Problems()
    documents = parse_documents(Source("compose.yaml", text), problems)
    assert problems.errors == ()
    return documents[0]


def errors(text: str) -> list[str]:
    problems = Problems()
    parse_documents(Source("compose.yaml", text), problems)
    return [f"{item.span.line}:{item.span.column} {item.message}" for item in problems.errors if item.span]


def test_every_value_knows_its_place():
    document = parse("services:\n  web:\n    ports: [80, '443']\n")
    assert locate(document, ("services", "web", "ports", 1)) == Span("compose.yaml", 3, 17, 3, 22)
    assert locate(document, ("services", "web"), key=True) == Span("compose.yaml", 2, 3, 2, 6)


def test_a_path_that_does_not_exist_is_at_the_deepest_part_that_does():
    document = parse("services:\n  web: {image: x}\n")
    assert locate(document, ("services", "web", "ports", 0)).line == 2


def test_an_alias_is_its_anchors_value_and_own_keys_win_over_merged_ones():
    document = parse("a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\nd: {<<: [{y: 5}, *a]}\n")
    once = {"x": 1, "y": 2}
    assert plain(document) == {"a": once, "b": once, "c": {"y": 3, "x": 1}, "d": {"y": 5, "x": 1}}


def test_a_quoted_number_is_a_string():
    assert plain(parse("a: '1'\nb: \"true\"\nc: !!str 5\n")) == {"a": "1", "b": "true", "c": "5"}


def test_the_tags_of_the_merge_stay_on_the_nodes():
    document = parse("a: !reset null\nb: !override [1]\n")
    assert [find(document, (key,)).tag for key in "ab"] == ["!reset", "!override"]


def test_several_documents_come_in_order_and_empty_ones_are_left_out():
    documents = parse_documents(Source("f", "a: 1\n---\n---\nb: 2\n"), Problems())
    assert [plain(document) for document in documents] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1 duplicate key a; first used at line 1"),
        ("a:\n\tb: 1\n", "2:1 this line is indented with a tab"),
        ("- a\n", "1:1 a Compose file must be a mapping at its top level"),
        ("1: a\n", "1:1 the key 1 must be a string, not a number"),
        ("a: !python/object x\n", "1:4 unknown tag !python/object"),
        ("a: &a [*a]\n", "1:4 an anchor contains an alias to itself"),
        ("a: {<<: 5}\n", "1:5 a merge key (<<) takes a mapping or a list of mappings"),
    ],
)
def test_what_yaml_allows_and_compose_does_not_is_refused_at_its_place(text, message):
    assert errors(text) == [message]


def test_aliases_cannot_make_a_small_file_huge():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert any(f"more than {MAXIMUM_NODES} values" in line for line in errors("\n".join(lines)))
