"""The graph of names that depend on names: cycles explained, and their order. The only user of networkx.

Edges are ``{name: names it depends on}``. Names that occur only as a dependency count as nodes too. Every result is
deterministic: ties are broken by name. What every load needs (is there a cycle, what comes first) is answered by the
standard library, since importing networkx takes longer than that.
"""

from __future__ import annotations

from collections import deque
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import networkx as nx

    Edges = Mapping[str, Collection[str]]


def _graph(edges: Edges) -> nx.DiGraph[str]:
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    for name in sorted(edges):
        graph.add_node(name)
        graph.add_edges_from((name, dependency) for dependency in sorted(edges[name]))
    return graph


def find_cycles(edges: Edges) -> tuple[tuple[str, ...], ...]:
    """One shortest cycle for each knot of names that depend on each other, as ``(a, b, a)``; empty when none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError:
        pass
    else:
        return ()
    import networkx as nx

    graph = _graph(edges)
    cycles: list[tuple[str, ...]] = []
    for knot in nx.strongly_connected_components(graph):
        first = min(knot)
        if len(knot) == 1 and not graph.has_edge(first, first):
            continue
        cycles.append(_shortest_cycle({name: sorted(graph.successors(name)) for name in knot}, first))
    return tuple(sorted(cycles))


def _shortest_cycle(edges: Mapping[str, list[str]], first: str) -> tuple[str, ...]:
    """From ``first`` back to it, breadth first; ``edges`` has every name that leads back to ``first``."""
    came_from: dict[str, str] = {}
    queue = deque([first])
    while queue:
        name = queue.popleft()
        for dependency in edges[name]:
            if dependency == first:
                path = [first, name]
                while path[-1] != first:
                    path.append(came_from[path[-1]])
                return tuple(reversed(path))
            if dependency in edges and dependency not in came_from:
                came_from[dependency] = name
                queue.append(dependency)
    raise AssertionError(f"nothing leads back to {first}")


def ranks(edges: Edges) -> dict[str, int]:
    """The start rank of each name: 0 depends on nothing, else one more than the highest of its dependencies.

    The edges must be free of cycles (graphlib raises CycleError otherwise).
    """
    result: dict[str, int] = {}
    for name in TopologicalSorter(edges).static_order():
        result[name] = 1 + max((result[dependency] for dependency in edges.get(name, ())), default=-1)
    return result


def reachable(edges: Edges, names: Iterable[str]) -> frozenset[str]:
    """The names and everything they depend on, directly or not. Cycles do no harm."""
    known = edges.keys() | {dependency for dependencies in edges.values() for dependency in dependencies}
    found: set[str] = set()
    queue = deque(name for name in names if name in known)
    while queue:
        name = queue.popleft()
        if name not in found:
            found.add(name)
            queue.extend(edges.get(name, ()))
    return frozenset(found)
