"""JSON documents of images, checked carefully, since they are not trusted. Pure.

Like Go's decoder, which most tools use, this treats null and missing members as the empty value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestra.regex import regex

DIGEST = regex(r"sha256:[0-9a-f]{64}")


class DocumentError(ValueError):
    """A document is not what its media type says. The caller knows which one, and names it."""


def parse_document(data: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"is not JSON: {error}") from None
    if not isinstance(document, Mapping):
        raise DocumentError("is not a JSON object")
    return document


def mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise DocumentError(f"{key} is not an object")
    return value


def mappings(document: Mapping[str, Any], key: str) -> tuple[Mapping[str, Any], ...]:
    value = document.get(key)
    if value is None:
        return ()
    if not _is_list(value) or not all(isinstance(item, Mapping) for item in value):
        raise DocumentError(f"{key} is not a list of objects")
    return tuple(value)


def text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DocumentError(f"{key} is not a string")
    return value


def strings(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = document.get(key)
    if value is None:
        return ()
    if isinstance(value, str):  # written by very old tools for a command of one word
        return (value,)
    if not _is_list(value) or not all(isinstance(item, str) for item in value):
        raise DocumentError(f"{key} is not a list of strings")
    return tuple(value)


def integer(document: Mapping[str, Any], key: str) -> int:
    value = document.get(key)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise DocumentError(f"{key} is not an integer")
    return value


def check_digest(value: str) -> str:
    """``value``, which is now safe as part of a path. Raises DocumentError for any other algorithm too."""
    if not DIGEST.fullmatch(value):
        raise DocumentError(f"{value[:100]!r} is not a sha256 digest")
    return value


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
