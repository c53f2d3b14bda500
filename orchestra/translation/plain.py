"""Plain data of other engines' objects."""

from __future__ import annotations

from typing import Any

from orchestra.compose.render import dump_value

Plain = dict[str, Any]


def full(**parts: Any) -> Plain:
    """Those that say something: an object without empty parts."""
    return {key: value for key, value in parts.items() if value not in (None, "", (), [], {})}


def plain(value: Any) -> Any:
    """Data of models as ``config`` prints it, without empty parts of a mapping."""
    shown = dump_value(value, extensions=False, hollow=False)
    if isinstance(shown, dict):
        return {key: item for key, item in shown.items() if item not in (None, "", False, [], {})}
    return shown
