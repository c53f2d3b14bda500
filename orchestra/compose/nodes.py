"""Located values: the content of a YAML document and its places.

Immutable; a pass returns new nodes or the same ones. Named tuples, since a load makes thousands of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestra.errors import Span

Path = tuple[str | int, ...]
RESET = "!reset"
OVERRIDE = "!override"
WRONG = "!wrong"
"""The tag of a node whose value was refused; no text can give it to a node (see ``compose.doubt``)."""


class Scalar(NamedTuple):
    """A single value. ``plain``: written without quotes, so that its look determines its type."""

    value: str | int | float | bool | None
    span: Span
    tag: str = ""
    plain: bool = True


def wrong(span: Span) -> Scalar:
    """Takes the place of a refused value, so that the value does not look as if it had been left out."""
    return Scalar(None, span, WRONG, plain=False)


class Seq(NamedTuple):
    items: tuple[Node, ...]
    span: Span
    tag: str = ""


class Map(NamedTuple):
    """``keys`` has the span of each key of ``items``; both are in the order of the text."""

    items: Mapping[str, Node]
    keys: Mapping[str, Span]
    span: Span
    tag: str = ""

    def get(self, key: str) -> Node | None:
        return self.items.get(key)

    def with_item(self, key: str, node: Node) -> Map:
        """The same mapping with one key set; a new key gets the node's place."""
        keys = self.keys if key in self.keys else {**self.keys, key: node.span}
        return Map({**self.items, key: node}, keys, self.span, self.tag)

    def without(self, key: str) -> Map:
        if key not in self.items:
            return self
        items = {name: node for name, node in self.items.items() if name != key}
        return Map(items, {name: span for name, span in self.keys.items() if name != key}, self.span, self.tag)


Node = Scalar | Seq | Map


def make_map(items: Mapping[str, Node], span: Span) -> Map:
    """A mapping that is not in the text itself: each key has the place of its value."""
    return Map(dict(items), {key: node.span for key, node in items.items()}, span)


def find(node: Node | None, path: Path) -> Node | None:
    """The node at ``path``, or None."""
    for part in path:
        if isinstance(node, Map) and isinstance(part, str):
            node = node.items.get(part)
        elif isinstance(node, Seq) and isinstance(part, int) and 0 <= part < len(node.items):
            node = node.items[part]
        else:
            return None
    return node


def find_map(node: Node | None, *path: str) -> Map | None:
    found = find(node, path)
    return found if isinstance(found, Map) else None


def locate(node: Node, path: Path, *, key: bool = False) -> Span:
    """The place of ``path``, or of the deepest part of it that exists. ``key``: of the last key, not of its value."""
    span = node.span
    for index, part in enumerate(path):
        if isinstance(node, Map) and isinstance(part, str) and part in node.items:
            last = index == len(path) - 1
            span = node.keys[part] if key and last else node.items[part].span
            node = node.items[part]
        elif isinstance(node, Seq) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            span = node.span
        else:
            break
    return span


def plain(node: Node) -> Any:
    """The bare Python value: dict, tuple and scalars."""
    if isinstance(node, Map):
        return {key: plain(item) for key, item in node.items.items()}
    if isinstance(node, Seq):
        return tuple(plain(item) for item in node.items)
    return node.value


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every node with its path, parents first."""
    yield path, node
    if isinstance(node, Map):
        for key, item in node.items.items():
            yield from walk(item, (*path, key))
    elif isinstance(node, Seq):
        for index, item in enumerate(node.items):
            yield from walk(item, (*path, index))


def render_path(path: Path) -> str:
    """``services.web.ports[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
