from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestra.graph import find_cycles, ranks, reachable

DIAMOND = {"web": ["api", "cache"], "api": ["db"], "cache": ["db"], "db": []}


def acyclic() -> st.SearchStrategy[dict[str, list[str]]]:
    """Edges that only ever point to earlier names."""

    def build(rows: list[set[int]]) -> dict[str, list[str]]:
        return {f"s{i}": sorted(f"s{j}" for j in row if j < i) for i, row in enumerate(rows)}

    return st.lists(st.sets(st.integers(0, 8)), max_size=9).map(build)


def test_what_depends_on_nothing_has_rank_nought():
    assert ranks(DIAMOND) == {"db": 0, "api": 1, "cache": 1, "web": 2}


def test_a_name_that_is_only_depended_on_has_a_rank():
    assert ranks({"web": ["db"]}) == {"db": 0, "web": 1}


@given(acyclic())
def test_a_rank_is_above_that_of_every_dependency(edges):
    order = ranks(edges)
    assert all(order[name] > order[dependency] for name in edges for dependency in edges[name])


def test_a_cycle_is_reported_as_a_path():
    assert find_cycles({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}) == (("a", "b", "c", "a"),)


def test_a_service_that_waits_for_itself_is_a_cycle():
    assert find_cycles({"a": ["a"]}) == (("a", "a"),)


def test_each_knot_is_reported_once():
    assert find_cycles({"a": ["b"], "b": ["a"], "x": ["y"], "y": ["x"]}) == (("a", "b", "a"), ("x", "y", "x"))


@given(acyclic())
def test_an_acyclic_graph_has_no_cycles(edges):
    assert find_cycles(edges) == ()


def test_reachable_is_the_names_and_all_below_them():
    assert reachable(DIAMOND, ["api"]) == {"api", "db"}
    assert reachable(DIAMOND, ["unknown"]) == frozenset()
