"""Attributes that are understood and kept in ``config``, but have no effect with the driver, and why.

Each attribute in use is named once, at its place. Lacks that depend on a value (a log driver, a kind of mount) are
reported where that value is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from orchestra.compose.patterns import Branch, plant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path

# Values that ask for nothing else than what is done anyway.
_FULFILLED = {"cgroup": "private", "endpoint_mode": "dnsrr"}


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
    elif isinstance(value, BaseModel):
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
    """Whether anything but defaults is in a value."""
    if isinstance(value, BaseModel):
        return any(map(says_something, dict(value).values()))
    return bool(value)
