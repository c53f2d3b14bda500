"""Attributes that are read and shown by ``config``, but have no effect with the driver, and why.

Each attribute in use is reported once, at its place. If a lack depends on a value (a log driver, a kind of mount), it
is reported where that value is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.compose.patterns import Branch, plant
from orchestra.compose.schema.model import Model
from orchestra.record import fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path

# Values that describe what is done anyway.
_FULFILLED = {"endpoint_mode": "dnsrr", "isolation": "default", "order": "stop-first"}


def report(context: Context) -> None:
    """Name each attribute in use that has no effect, at its place."""
    for path, value, reason in _find(context.stack, (), plant(context.unsupported)):
        if _FULFILLED.get(str(path[-1])) == value:
            continue
        attribute = ".".join(str(part) for part in path[2:] if isinstance(part, str))
        context.problems.not_apply(f"{attribute}: {reason}", context.span(path, key=True), path)


def _find(value: Any, path: Path, branch: Branch[str]) -> Iterator[tuple[Path, Any, str]]:
    if branch.value is not None:
        if says_something(value):
            yield path, value, branch.value
    elif isinstance(value, Model):
        for name, below in branch.below.items():
            inner = getattr(value, name)
            if inner:
                yield from _find(inner, (*path, name), below)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if inner:
                yield from _find(inner, (*path, key), branch.below["*"])
    else:
        for index, inner in enumerate(value):
            yield from _find(inner, (*path, index), branch.below["[]"])


def says_something(value: Any) -> bool:
    """Whether a value contains anything but defaults."""
    if isinstance(value, Model):
        return any(map(says_something, fields(value).values()))
    return bool(value)
