"""Values that templates are executed on: JSON values, and rows with fields that are computed on demand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Lazy(Record):
    """A field that is costly: computed if a template names it, or if the whole row is shown as JSON."""

    compute: Callable[[], Any]


class Method(Record):
    """A field that takes arguments, such as ``{{.Label "name"}}``. Not part of the JSON output."""

    call: Callable[..., Any]


class Sparse(dict[str, "Any"]):
    """Fields that templates may name although they are None; JSON leaves those out."""


def plain(value: Any) -> str:
    """The value as Go's fmt prints it with %v."""
    match value:
        case None:
            return "<no value>"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case Mapping():
            return f"map[{' '.join(f'{plain(key)}:{plain(value[key])}' for key in sorted(value))}]"
        case list() | tuple():
            return f"[{' '.join(map(plain, value))}]"
        case Lazy():
            return plain(value.compute())
        case _:
            return str(value)


def to_json(value: Any) -> str:
    """On one line, without spaces, as Go writes it: scripts search it for ``"State":"running"``."""
    return json.dumps(encodable(value), separators=(",", ":"))


def encodable(value: Any) -> Any:
    """The value as it is shown as JSON."""
    if isinstance(value, Lazy):
        return encodable(value.compute())
    if isinstance(value, Sparse):
        return {key: encodable(field) for key, field in value.items() if field is not None}
    if isinstance(value, Mapping):
        return {key: encodable(field) for key, field in value.items() if not isinstance(field, Method)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [encodable(item) for item in value]
    return value
