"""Tables keyed by the shape of a path, as trees: a document is traversed once, whatever the number of rows.

A shape is written ``services.*.ports.[].target``: ``*`` stands for any key, ``[]`` for any index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Value = TypeVar("Value")


class Branch(Generic[Value]):
    """value: the table's value for this shape, if any. below: its values for longer shapes that begin with this one."""

    __slots__ = ("any_key", "below", "value")

    def __init__(self) -> None:
        self.value: Value | None = None
        self.below: dict[str, Branch[Value]] = {}
        self.any_key: Branch[Value] | None = None

    def at(self, part: str | int) -> Branch[Value] | None:
        """The branch one step further down, if any."""
        if isinstance(part, int):
            return self.below.get("[]")
        return self.below.get(part) or self.any_key

    def find(self, path: Iterable[str | int]) -> Branch[Value] | None:
        """The branch at ``path``, if any."""
        branch: Branch[Value] | None = self
        for part in path:
            branch = branch.at(part) if branch else None
        return branch


def plant(table: Mapping[str, Value] | Iterable[tuple[str, Value]]) -> Branch[Value]:
    """The root of the tree of a table."""
    root: Branch[Value] = Branch()
    for pattern, value in dict(table).items():
        branch = root
        for part in pattern.split("."):
            branch = branch.below.setdefault(part, Branch())
        branch.value = value
    _name_any(root)
    return root


def _name_any(branch: Branch[Value]) -> None:
    branch.any_key = branch.below.get("*")
    for below in branch.below.values():
        _name_any(below)
