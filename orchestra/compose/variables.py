"""The variables that the files of a stack use, without replacing them: what ``config --variables`` lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from orchestra.compose.interpolate import MAXIMUM_DEPTH, InterpolationError, references
from orchestra.compose.nodes import Scalar, walk
from orchestra.compose.yaml_text import render_yaml
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestra.compose.nodes import Node


class Variable(NamedTuple):
    """alternate: the replacement if it is set (``${NAME:+alternate}``)."""

    name: str
    required: bool = False
    default: str = ""
    alternate: str = ""


def find_variables(texts: Iterable[str]) -> tuple[Variable, ...]:
    """Every variable by name; of several uses, the first that has more than the name."""
    found: dict[str, Variable] = {}
    for text in texts:
        for variable in _in_text(text, 0):
            known = found.get(variable.name)
            if known is None or known == (variable.name, False, "", ""):
                found[variable.name] = variable
    return tuple(sorted(found.values()))


def render_variables(variables: Iterable[Variable], format_: Literal["yaml", "json"]) -> str:
    """By name, with the keys that Docker Compose's ``config --variables --format`` has."""
    values = {
        name: {"Name": name, "DefaultValue": default, "PresenceValue": alternate, "Required": required}
        for name, required, default, alternate in variables
    }
    if format_ == "json":
        return json.dumps(values, ensure_ascii=False, indent=4) + "\n"
    return render_yaml(
        {name: {key.lower(): item for key, item in value.items()} for name, value in values.items()}, indent=4
    )


def texts_of(node: Node) -> Iterator[str]:
    """The texts of a document that hold a ``$``."""
    for _, inner in walk(node):
        if isinstance(inner, Scalar) and isinstance(inner.value, str) and "$" in inner.value:
            yield inner.value


def _in_text(text: str, depth: int) -> Iterator[Variable]:
    """In order of appearance; for a malformed text, those before the mistake."""
    try:
        for part in references(text):
            if isinstance(part, str):
                continue
            kind = part.operator[-1:]
            yield Variable(
                part.name,
                required=kind == "?",
                default=part.word if kind == "-" else "",
                alternate=part.word if kind == "+" else "",
            )
            if depth < MAXIMUM_DEPTH:
                yield from _in_text(part.word, depth + 1)
    except InterpolationError:
        return
