"""Regular expressions that are compiled when they are first used: no file or command uses more than a few of them."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, AnyStr


def regex(expression: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """A pattern to assign to a name at the top of a module."""
    later: Any = _Later(expression, flags)
    return later  # type: ignore[no-any-return]  # it has the methods of one


class _Later:
    """Takes over each method of the pattern when it is first called."""

    def __init__(self, expression: str | bytes, flags: int) -> None:
        self._expression = expression
        self._flags = flags

    def __getattr__(self, name: str) -> object:
        value: object = getattr(re.compile(self._expression, self._flags), name)
        setattr(self, name, value)
        return value
