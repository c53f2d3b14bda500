"""Removing refused values from the document, so that everything else can still be checked.

A load reports all mistakes of a stack at once, so no mistake ends it. A value that is refused before the files are
merged leaves a node with the tag ``WRONG``, which is removed here, like values that the schema refuses.
``Problems.lacks`` knows each such place: what is only missing because of it is not reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.nodes import WRONG, Map, Seq, find

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.compose.nodes import Node, Path
    from orchestra.compose.problems import Problems


def without_refused(document: Map, paths: Iterable[Path], problems: Problems) -> Map:
    """The document without its ``WRONG`` nodes and without what is at ``paths``; each is reported to ``problems``.

    If a path is not in the document, its deepest existing part is removed.
    """
    result = _without(document, {_known(document, path) for path in paths}, (), problems)
    assert isinstance(result, Map)
    return result


def _known(document: Map, path: Path) -> Path:
    """The part of a path that is in the document."""
    while path and find(document, path) is None:
        path = path[:-1]
    return path


def _without(node: Node, refused: set[Path], path: Path, problems: Problems, kept: Path = ()) -> Node:
    """``path``: of the node in the whole document; ``kept``: in what remains of it."""
    if isinstance(node, Map):
        items: dict[str, Node] = {}
        for key, item in node.items.items():
            if item.tag == WRONG or (*path, key) in refused:
                problems.leave_out((*kept, key))
            else:
                items[key] = _without(item, refused, (*path, key), problems, (*kept, key))
        return Map(items, {key: node.keys[key] for key in items}, node.span, node.tag)
    if isinstance(node, Seq):
        parts: list[Node] = []
        for index, item in enumerate(node.items):
            if item.tag != WRONG and (*path, index) not in refused:
                parts.append(_without(item, refused, (*path, index), problems, (*kept, len(parts))))
        return Seq(tuple(parts), node.span, node.tag)
    return node
