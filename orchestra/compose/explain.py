"""Where a value of the result comes from: the places that set it, what they override, the variables in them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from orchestra.compose.complete import complete
from orchestra.compose.loading import assemble, declare
from orchestra.compose.nodes import Map, Scalar, find, locate, render_path
from orchestra.compose.render import dump
from orchestra.compose.variables import find_variables
from orchestra.errors import Span, UserError
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.compose.assemble import Layer
    from orchestra.compose.loading import Assembled
    from orchestra.compose.nodes import Node, Path
    from orchestra.compose.request import LoadRequest
    from orchestra.compose.schema.stack import Stack

_PART = regex(r"[^.\[\]]+|\[\d+\]")


def explain(request: LoadRequest, asked: str) -> str:
    """The origin of ``asked``, such as ``web.image`` or ``networks.front.driver``, as text.

    Raises UserError if the stack has no such value, and whatever a load raises.
    """
    assembled = assemble(request)
    stack = declare(assembled).wanted
    assembled.problems.raise_errors()
    completed = complete(
        stack, assembled.name, assembled.document, assembled.project, assembled.reader, assembled.problems
    )
    assembled.problems.raise_errors()
    data = dump(completed)
    first = _PART.match(asked)
    is_service = first is not None and first[0] in completed.services
    path = _resolve(data, f"services.{asked}" if is_service else asked, asked)
    lines = [f"{render_path(path)} = {_short(_value_at(data, path))}"]
    places = list(_places(assembled, path))
    for number, (layer, node, span) in enumerate(reversed(places)):
        lines += _describe(assembled, layer, node, span, "set at" if number == 0 else _relation(node))
    if not places:
        lines += _unwritten(assembled, stack, path)
    return "\n".join(lines) + "\n"


def _resolve(data: Any, text: str, asked: str) -> Path:
    """The path that a text means: keys may hold dots themselves, so the longest key that fits is taken."""
    path: tuple[str | int, ...] = ()
    rest = text
    while rest:
        if isinstance(data, dict):
            fitting = [key for key in data if rest == key or rest.startswith((f"{key}.", f"{key}["))]
            if not fitting:
                known = ", ".join(sorted(map(str, data))[:20])
                raise UserError(
                    f"no such value: {asked}", hint=f"keys of {render_path(path) or 'the stack'} are {known}"
                )
            key = max(fitting, key=len)
            path, data, rest = (*path, key), data[key], rest[len(key) :].removeprefix(".")
            continue
        match = re.match(r"\[(\d+)\]\.?|(\d+)(?:\.|$)", rest)
        number = int(match[1] or match[2]) if match else -1
        if match is None or not isinstance(data, list) or not 0 <= number < len(data):
            raise UserError(f"no such value: {asked}", hint=f"{render_path(path)} is {_short(data)}")
        path, data, rest = (*path, number), data[number], rest[match.end() :]
    return path


def _value_at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _places(assembled: Assembled, path: Path) -> Iterator[tuple[Layer, Node, Span]]:
    """The layers that have a value at ``path``, lowest first.

    Entries of lists are found by their place in the whole document: their index may differ in each layer.
    """
    winner = find(assembled.document, path)
    if winner is None:
        return
    by_place = any(isinstance(part, int) for part in path)
    seen: set[Span] = set()
    for layer in assembled.assembler.layers:
        inner = path[2:] if layer.service else path
        if layer.service and path[:2] != ("services", layer.service):
            continue
        for document in layer.documents:
            node = _find_at(document, winner.span) if by_place else find(document, inner)
            if node is None:
                continue
            span = node.span if by_place else _place(document, inner, node)
            if span not in seen:
                seen.add(span)
                yield layer, node, span


def _place(document: Map, path: Path, node: Node) -> Span:
    """For a mapping or an empty value, the place of its key: the value's own may be long, or empty."""
    return locate(document, path, key=isinstance(node, Map) or (isinstance(node, Scalar) and node.value is None))


def _find_at(node: Node, span: Span) -> Node | None:
    if node.span == span:
        return node
    inner = node.items.values() if isinstance(node, Map) else () if isinstance(node, Scalar) else node.items
    return next((found for item in inner if (found := _find_at(item, span)) is not None), None)


def _relation(node: Node) -> str:
    return "instead of" if isinstance(node, Scalar) else "merged over"


def _describe(assembled: Assembled, layer: Layer, node: Node, span: Span, relation: str) -> list[str]:
    line = assembled.problems.line(span)
    lines = [f"  {relation} {span}"]
    if line:
        lines.append(f"    {span.line} | {line}")
    for variable in find_variables([_source(assembled, span)] if isinstance(node, Scalar) else []):
        value, origin = layer.environment.lookup(variable.name), layer.environment.origin(variable.name)
        if value is None:
            lines.append(f"    {variable.name} is not set")
        else:
            lines.append(f"    {variable.name} is {_short(value)}, from {origin}")
    if isinstance(node, Scalar) and node.value is None:
        lines.append("    it has no value there")
    return lines


def _source(assembled: Assembled, span: Span) -> str:
    """The text of a place as it is written, variables and all."""
    lines = [assembled.problems.line(span._replace(line=number)) for number in range(span.line, span.end_line + 1)]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return "\n".join(lines)


def _unwritten(assembled: Assembled, stack: Stack, path: Path) -> list[str]:
    """For a value that no layer sets: variables from files, otherwise Compose's defaults."""
    if len(path) == 4 and path[0] == "services" and path[2] in ("environment", "labels"):
        service, name = stack.services[str(path[1])], re.escape(str(path[3]))
        files = [entry.path for entry in service.env_file] if path[2] == "environment" else service.label_file
        for file in reversed(files):
            for number, line in enumerate(assembled.problems.texts.get(file, "").splitlines(), 1):
                if re.match(rf"\s*(export\s+)?{name}\s*([=:]|$)", line):
                    return [f"  set at {file}:{number}:1", f"    {number} | {line}"]
    return ["  not in any file: a default of Compose"]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:199] + "…"
