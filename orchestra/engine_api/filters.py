"""``filters``: a JSON object of lists, or of objects whose keys are the values (Engine API, "filters"). Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestra.engine_api.errors import bad_request
from orchestra.stacks.filters import TRUTHS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Filters = dict[str, list[str]]


def parse_filters(text: str, known: Collection[str]) -> Filters:
    """Raises ApiError for what is none, and for a key that is not known."""
    if not text:
        return {}
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"invalid filters: {error}") from error
    if not isinstance(read, dict):
        raise bad_request("invalid filters: expected an object")
    found: Filters = {}
    for key, values in read.items():
        if key not in known:
            raise bad_request(f"invalid filter '{key}'")
        if isinstance(values, dict):
            found[key] = [value for value, holds in values.items() if holds]
        elif isinstance(values, list):
            found[key] = [str(value) for value in values]
        else:
            raise bad_request(f"invalid filters: {key} is not a list")
    return found


def as_options(filters: Mapping[str, Sequence[str]]) -> list[str]:
    """As commands take them: ``KEY=VALUE``."""
    return [f"{key}={value}" for key, values in filters.items() for value in values]


def truth(filters: Mapping[str, Sequence[str]], key: str) -> bool | None:
    """None without such a filter. Raises ApiError for a value that is neither true nor false."""
    values = filters.get(key)
    if not values:
        return None
    known = TRUTHS.get(values[0].lower())
    if known is None:
        raise bad_request(f"invalid filter '{key}={values[0]}'")
    return known
