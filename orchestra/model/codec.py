"""Records and named tuples to JSON values and back, driven by their annotations.

``encode`` leaves out fields that have their default, so files stay small and old readers survive new fields.
``decode`` raises ``ValueError`` with the path of a value that does not fit. Members of a union are marked by
``tagged``: their name is added to their fields, as ``kind``.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

from orchestra.model.resource import ResourceId

T = TypeVar("T")
Type = TypeVar("Type", bound=type)
Json = Any

_MISSING = object()
_TAGGED: set[type] = set()


def tagged(type_: Type) -> Type:
    """A decorator for members of a union: their name is needed to tell them apart."""
    _TAGGED.add(type_)
    return type_


def encode(value: object) -> Json:
    """A JSON value for a dataclass, enum, mapping, sequence or plain value."""
    if isinstance(value, ResourceId):
        return str(value)
    type_: type = type(value)
    if _is_record(type_):
        result: dict[str, Json] = {}
        for name, default in _defaults(type_):
            item = getattr(value, name)
            if default is _MISSING or item != default:
                result[name] = encode(item)
        if type_ in _TAGGED:
            result["kind"] = type_.__name__
        return result
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    return value


def decode(type_: type[T], value: Json) -> T:
    """The value of ``type_`` that ``encode`` made ``value`` from."""
    return cast("T", _decode(type_, value, "$"))


def _is_record(type_: object) -> bool:
    return hasattr(type_, "_fields")


@cache
def _defaults(type_: type) -> tuple[tuple[str, object], ...]:
    given = type_._field_defaults  # type: ignore[attr-defined]  # of a record or named tuple
    return tuple((name, given.get(name, _MISSING)) for name in type_._fields)  # type: ignore[attr-defined]


@cache
def _hints(type_: type) -> dict[str, Any]:
    hints = typing.get_type_hints(type_)
    return {name: hints[name] for name, _default in _defaults(type_)}


def _decode(type_: Any, value: Json, path: str) -> Any:
    origin = typing.get_origin(type_)
    if origin is None:
        return _decode_plain(type_, value, path)
    arguments = typing.get_args(type_)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(arguments, value, path)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{path}: a list was expected, not {value!r}")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_decode(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value))
        if len(arguments) != len(value):
            raise ValueError(f"{path}: {len(arguments)} items were expected, not {len(value)}")
        pairs = enumerate(zip(arguments, value, strict=True))
        return tuple(_decode(argument, item, f"{path}[{i}]") for i, (argument, item) in pairs)
    if not isinstance(value, dict):
        raise ValueError(f"{path}: a mapping was expected, not {value!r}")
    return {_decode(arguments[0], k, path): _decode(arguments[1], item, f"{path}.{k}") for k, item in value.items()}


def _decode_union(members: tuple[Any, ...], value: Json, path: str) -> Any:
    if value is None and types.NoneType in members:
        return None
    rest = [member for member in members if member is not types.NoneType]
    if len(rest) == 1:
        return _decode(rest[0], value, path)
    if isinstance(value, dict):
        for member in rest:
            if member.__name__ == value.get("kind"):
                return _decode(member, value, path)
    raise ValueError(f"{path}: none of {', '.join(member.__name__ for member in rest)} fits {value!r}")


def _decode_plain(type_: Any, value: Json, path: str) -> Any:
    if hasattr(type_, "__supertype__"):
        type_ = type_.__supertype__
    if type_ is ResourceId and isinstance(value, str):
        return ResourceId.parse(value)
    if _is_record(type_):
        if not isinstance(value, dict):
            raise ValueError(f"{path}: a mapping was expected, not {value!r}")
        if type_ in _TAGGED:
            value = {key: item for key, item in value.items() if key != "kind"}
        hints = _hints(cast("type", type_))
        unknown = value.keys() - hints.keys()
        if unknown:
            raise ValueError(f"{path}: unknown keys {', '.join(sorted(unknown))}")
        try:
            return cast("type", type_)(**{k: _decode(hints[k], item, f"{path}.{k}") for k, item in value.items()})
        except TypeError as error:
            raise ValueError(f"{path}: {error}") from None
    if isinstance(type_, type) and issubclass(type_, Enum):
        return type_(value)
    if type_ is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type_ is Any or (isinstance(value, type_) and not (isinstance(value, bool) and type_ is not bool)):
        return value
    raise ValueError(f"{path}: {type_.__name__} was expected, not {value!r}")
