"""The rules of ``compose.canonical``: each makes one attribute's node canonical.

Nodes that are neither short nor long syntax are left alone: the schema reports them. New nodes get the place of the
text they came from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from orchestra.compose import shellwords
from orchestra.compose.nodes import RESET, Map, Node, Path, Scalar, Seq, make_map, render_path, wrong
from orchestra.compose.scalars import render

if TYPE_CHECKING:
    from orchestra.compose.problems import Problems
    from orchestra.errors import Span

Rule = Callable[[Node, Path, "Problems"], Node]


def build_node(value: Any, span: Span) -> Node:
    """Located nodes for the value of a short syntax, all at the place of the short text."""
    if isinstance(value, dict):
        return make_map({key: build_node(item, span) for key, item in value.items()}, span)
    if isinstance(value, (list, tuple)):
        return Seq(tuple(build_node(item, span) for item in value), span)
    return Scalar(value, span, plain=False)


def text_of(node: Node) -> str | None:
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None


def pairs(node: Node, path: Path, problems: Problems) -> Node:
    """``[K=V, K]`` to ``{K: V, K: null}``; the last of several equal keys wins at the place of the first."""
    if not isinstance(node, Seq):
        return node
    items: dict[str, Node] = {}
    keys: dict[str, Span] = {}
    for index, item in enumerate(node.items):
        text = text_of(item)
        if text is None:
            message = f"{render_path((*path, index))} must be KEY=VALUE or KEY"
            problems.error("wrong-type", message, item.span, (*path, index), "write it as a mapping, or quote it")
            continue
        key, equals, value = text.partition("=")
        items[key] = Scalar(value if equals else None, item.span, plain=False)
        keys.setdefault(key, item.span)
    return Map(items, keys, node.span)


def one_or_many(node: Node, path: Path, problems: Problems) -> Node:
    """``x`` to ``[x]``, and an empty text to an empty list."""
    if not isinstance(node, Scalar) or node.value is None:
        return node
    return Seq(() if node.value == "" else (node,), node.span)


def one_or_more(node: Node, path: Path, problems: Problems) -> Node:
    """``x`` to ``[x]``, even an empty text: for search domains it means that there are none."""
    return Seq((node,), node.span) if isinstance(node, Scalar) and node.value is not None else node


def texts(node: Node, path: Path, problems: Problems) -> Node:
    """Numbers in a list of strings to strings."""
    if not isinstance(node, Seq):
        return node
    return node._replace(
        items=tuple(
            Scalar(render(item.value), item.span) if isinstance(item, Scalar) and item.value is not None else item
            for item in node.items
        ),
    )


def names(node: Node, path: Path, problems: Problems) -> Node:
    """``[a, b]`` to ``{a: null, b: null}``."""
    if not isinstance(node, Seq) or any(text_of(item) is None for item in node.items):
        return node
    items: dict[str, Node] = {}
    keys: dict[str, Span] = {}
    for item in node.items:
        name = text_of(item) or ""
        items[name], keys[name] = Scalar(None, item.span), item.span
    return Map(items, keys, node.span)


def command(node: Node, path: Path, problems: Problems) -> Node:
    """``"a b"`` to ``[a, b]``."""
    text = text_of(node)
    if text is None:
        return node
    try:
        words, rest = shellwords.split(text)
    except ValueError as error:
        problems.error("invalid-command", str(error), node.span, path, "write the command as a list of words")
        return wrong(node.span)
    if rest:
        problems.warn(
            "command-cut",
            f"the command is cut off at {rest[:1]!r}: it is not run by a shell",
            node.span,
            path,
            'write ["sh", "-c", "…"] to use shell syntax',
        )
    return build_node(words, node.span)


def probe(node: Node, path: Path, problems: Problems) -> Node:
    """``"curl …"`` to ``[CMD-SHELL, "curl …"]``."""
    text = text_of(node)
    return node if text is None else build_node(("CMD-SHELL", text), node.span)


def keyed(key: str) -> Rule:
    """A rule for ``x`` to ``{key: x}``."""

    def rule(node: Node, path: Path, problems: Problems) -> Node:
        return make_map({key: node}, node.span) if text_of(node) is not None else node

    return rule


def depends_on(node: Node, path: Path, problems: Problems) -> Node:
    """``[a]`` to ``{a: {condition: service_started, required: true}}``; a long entry gets ``required: true``."""
    if isinstance(node, Seq) and all(text_of(item) is not None for item in node.items):
        items: dict[str, Node] = {}
        for item in node.items:
            items[text_of(item) or ""] = build_node({"condition": "service_started", "required": True}, item.span)
        return make_map(items, node.span)
    if isinstance(node, Map):
        filled = {
            key: item.with_item("required", Scalar(True, item.span))
            if isinstance(item, Map) and "required" not in item.items and item.tag != RESET
            else item
            for key, item in node.items.items()
        }
        return Map(filled, node.keys, node.span)
    return node


def env_files(node: Node, path: Path, problems: Problems) -> Node:
    """A path, or a list of paths and long entries, to ``[{path, required}]``."""
    if isinstance(node, (Scalar, Map)) and not (isinstance(node, Scalar) and node.value is None):
        node = Seq((node,), node.span)
    if not isinstance(node, Seq):
        return node
    items: list[Node] = []
    for item in node.items:
        if text_of(item) is not None:
            items.append(make_map({"path": item, "required": Scalar(True, item.span)}, item.span))
        elif isinstance(item, Map) and "required" not in item.items:
            items.append(item.with_item("required", Scalar(True, item.span)))
        else:
            items.append(item)
    return Seq(tuple(items), node.span)


def sources(node: Node, path: Path, problems: Problems) -> Node:
    """``[name]`` to ``[{source: name}]``."""
    if not isinstance(node, Seq):
        return node
    return Seq(
        tuple(make_map({"source": item}, item.span) if text_of(item) is not None else item for item in node.items),
        node.span,
    )


def ssh(node: Node, path: Path, problems: Problems) -> Node:
    """``{id: path}`` to ``[id=path]``."""
    if not isinstance(node, Map):
        return node
    return Seq(
        tuple(
            Scalar(f"{key}={text}" if (text := text_of(item)) else key, item.span) for key, item in node.items.items()
        ),
        node.span,
    )


def gpus(node: Node, path: Path, problems: Problems) -> Node:
    """``all`` to one request for every GPU."""
    return Seq((build_node({"count": "all"}, node.span),), node.span) if text_of(node) == "all" else node


def options(node: Node, path: Path, problems: Problems) -> Node:
    """Each value of a provider's options to a list of texts."""
    if not isinstance(node, Map):
        return node
    items = {key: texts(one_or_many(item, path, problems), path, problems) for key, item in node.items.items()}
    return Map(items, node.keys, node.span)


def external(node: Node, path: Path, problems: Problems) -> Node:
    """The old ``external: {name: x}`` of a resource to ``external: true`` and ``name: x``."""
    if not isinstance(node, Map):
        return node
    value = node.get("external")
    if not isinstance(value, Map):
        return node
    name = value.get("name")
    result = node.with_item("external", Scalar(True, value.span))
    if name is not None and "name" in node.items:
        message = f"{render_path(path)} has a name and an external name"
        problems.error("conflict", message, name.span, (*path, "external"), "remove external.name")
    elif name is not None:
        result = result.with_item("name", name)
    return result


def includes(node: Node, path: Path, problems: Problems) -> Node:
    """``[file]`` and ``[{path: file}]`` to ``[{path: [file]}]``."""
    if not isinstance(node, Seq):
        return node
    items: list[Node] = []
    for item in node.items:
        if text_of(item) is not None:
            items.append(make_map({"path": Seq((item,), item.span)}, item.span))
        elif isinstance(item, Map):
            for key in ("path", "env_file"):
                value = item.get(key)
                if value is not None and text_of(value) is not None:
                    item = item.with_item(key, Seq((value,), value.span))
            items.append(item)
        else:
            items.append(item)
    return Seq(tuple(items), node.span)
