"""Rules of ``compose.canonical`` for lists whose entries have a syntax of their own (``compose.shorthand``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.compose import shorthand
from orchestra.compose.longhand import build_node, text_of
from orchestra.compose.nodes import WRONG, Map, Scalar, Seq
from orchestra.compose.scalars import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.compose.longhand import Rule
    from orchestra.compose.nodes import Node, Path
    from orchestra.compose.problems import Problems
    from orchestra.errors import Span


def ports(node: Node, path: Path, problems: Problems) -> Node:
    if not isinstance(node, Seq):
        return node
    items: list[Node] = []
    for index, item in enumerate(node.items):
        if isinstance(item, Map):
            items.append(_long_port(item))
            continue
        if not isinstance(item, Scalar) or item.value is None or isinstance(item.value, bool):
            items.append(item)
            continue
        try:
            entries = shorthand.parse_port(render(item.value))
            if not problems.may_publish(len(entries)):
                problems.error("invalid-port", "the stack has too many ports", item.span, (*path, index))
                break
            items += [build_node(entry, item.span) for entry in entries]
        except ValueError as error:
            hint = "write [[ADDRESS:]HOST:]CONTAINER[/PROTOCOL], such as 8080:80"
            problems.error("invalid-port", f"{render(item.value)!r}: {error}", item.span, (*path, index), hint)
            items += [item] * problems.lenient
    return Seq(tuple(items), node.span)


def _long_port(item: Map) -> Map:
    for key, value in (("mode", "ingress"), ("protocol", "tcp")):
        if key not in item.items:
            item = item.with_item(key, Scalar(value, item.span))
    return item


def _each(parse: Callable[[str], dict[str, Any]], code: str, hint: str) -> Rule:
    """A rule for a list whose strings have a short syntax of their own."""

    def rule(node: Node, path: Path, problems: Problems) -> Node:
        if not isinstance(node, Seq):
            return node
        items: list[Node] = []
        for index, item in enumerate(node.items):
            text = text_of(item)
            if text is None:
                items.append(item)
                continue
            try:
                items.append(build_node(parse(text), item.span))
            except ValueError as error:
                problems.error(code, f"{text!r}: {error}", item.span, (*path, index), hint)
                items += [item] * problems.lenient
        return Seq(tuple(items), node.span)

    return rule


def hosts(node: Node, path: Path, problems: Problems) -> Node:
    """``{host: address}``, ``{host: [addresses]}`` and ``["host:address"]`` to ``["host=address"]``."""
    entries: list[tuple[str, Span]] = []
    if isinstance(node, Map):
        for host, value in sorted(node.items.items()):
            given = value.items if isinstance(value, Seq) else (value,)
            entries += [(f"{host}={text_of(item) or ''}", item.span) for item in given if item.tag != WRONG]
    elif isinstance(node, Seq) and all(text_of(item) is not None for item in node.items):
        entries = [(text_of(item) or "", item.span) for item in node.items]
    else:
        return node
    items: list[Node] = []
    for text, span in entries:
        try:
            host, addresses = shorthand.parse_host(text)
        except ValueError as error:
            problems.error("invalid-host", str(error), span, path, "write HOST=ADDRESS, such as db=10.0.0.5")
            items += [Scalar(text, span)] * problems.lenient
            continue
        items += [Scalar(f"{host}={address}", span) for address in addresses]
    return Seq(tuple(items), node.span)


volumes = _each(
    shorthand.parse_volume,
    "invalid-volume",
    "write [SOURCE:]TARGET[:OPTIONS], such as ./data:/data:ro or cache:/cache",
)
devices = _each(shorthand.parse_device, "invalid-device", "write HOST[:CONTAINER[:PERMISSIONS]]")
