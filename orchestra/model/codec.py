"""Records and named tuples to JSON values and back, driven by their annotations.

``encode`` leaves out fields that have their default, so files stay small and old readers survive new fields.
``decode`` raises ``ValueError`` with the path of a value that does not fit. Members of a union are marked by
``tagged``: their name is added to their fields, as ``kind``.
"""

from __future__ import annotations

import builtins
import sys
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Any, NoReturn, TypeVar, cast

from orchestra.model.resource import ResourceId

T = TypeVar("T")
Type = TypeVar("Type", bound=type)
Json = Any
Decoder = Callable[[Json], Any]

_MISSING = object()
_TAGGED: set[type] = set()
_PLAIN = frozenset({str, int, float, bool, types.NoneType})


class _Misfit(ValueError):
    """A value does not fit. path: where it is, below the one that is being decoded."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path

    def below(self, step: str) -> _Misfit:
        return _Misfit(self.message, step + self.path)


def tagged(type_: Type) -> Type:
    """A decorator for members of a union: their name is needed to tell them apart."""
    _TAGGED.add(type_)
    return type_


def encode(value: object) -> Json:
    """A JSON value for a dataclass, enum, mapping, sequence or plain value."""
    type_: type = type(value)
    if type_ in _PLAIN:
        return value
    if type_ is ResourceId:
        return str(value)
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
    try:
        return cast("T", _decoder(cast("Any", type_))(value))
    except _Misfit as misfit:
        raise ValueError(f"${misfit.path}: {misfit.message}") from None


def _is_record(type_: object) -> bool:
    return hasattr(type_, "_fields")


@cache
def _defaults(type_: type) -> tuple[tuple[str, object], ...]:
    given = type_._field_defaults  # type: ignore[attr-defined]  # of a record or named tuple
    return tuple((name, given.get(name, _MISSING)) for name in type_._fields)  # type: ignore[attr-defined]


@cache
def _decoder(type_: Any) -> Decoder:
    """Made once for each type: looking at annotations takes longer than decoding."""
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin is None:
        return _plain_decoder(type_)
    if origin in (typing.Union, types.UnionType):
        return _union_decoder(arguments)
    if origin is not tuple:
        return _mapping_decoder(*map(_decoder, arguments))
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return _sequence_decoder(_decoder(arguments[0]))
    return _tuple_decoder(tuple(map(_decoder, arguments)))


def _sequence_decoder(decode_item: Decoder) -> Decoder:
    def decode_sequence(value: Json) -> tuple[Any, ...]:
        _expect_list(value)
        items: list[Any] = []
        try:
            for item in value:
                items.append(decode_item(item))  # noqa: PERF401 - how many there are says which one is wrong
        except _Misfit as misfit:
            raise misfit.below(f"[{len(items)}]") from None
        return tuple(items)

    return decode_sequence


def _tuple_decoder(decoders: tuple[Decoder, ...]) -> Decoder:
    def decode_tuple(value: Json) -> tuple[Any, ...]:
        _expect_list(value)
        if len(decoders) != len(value):
            raise _Misfit(f"{len(decoders)} items were expected, not {len(value)}")
        items: list[Any] = []
        try:
            for decode_item, item in zip(decoders, value, strict=True):
                items.append(decode_item(item))
        except _Misfit as misfit:
            raise misfit.below(f"[{len(items)}]") from None
        return tuple(items)

    return decode_tuple


def _mapping_decoder(decode_key: Decoder, decode_item: Decoder) -> Decoder:
    def decode_mapping(value: Json) -> dict[Any, Any]:
        _expect_mapping(value)
        decoded: dict[Any, Any] = {}
        for key, item in value.items():
            try:
                decoded[decode_key(key)] = decode_item(item)
            except _Misfit as misfit:
                raise misfit.below(f".{key}") from None
        return decoded

    return decode_mapping


def _union_decoder(members: tuple[Any, ...]) -> Decoder:
    rest = [member for member in members if member is not types.NoneType]
    is_optional = len(rest) < len(members)
    only = _decoder(rest[0]) if len(rest) == 1 else None
    kinds = {member.__name__: member for member in rest}

    def decode_member(value: Json) -> Any:
        if value is None and is_optional:
            return None
        if only is not None:
            return only(value)
        member = kinds.get(value.get("kind")) if isinstance(value, dict) else None
        if member is None:
            raise _Misfit(f"none of {', '.join(kinds)} fits {value!r}")
        return _decoder(member)(value)

    return decode_member


def _plain_decoder(type_: Any) -> Decoder:
    if hasattr(type_, "__supertype__"):
        type_ = type_.__supertype__
    if type_ is ResourceId:
        return _decode_resource
    if _is_record(type_):
        return _record_decoder(type_)
    if isinstance(type_, type) and issubclass(type_, Enum):
        return type_
    if type_ is Any:
        return _decode_anything
    accepted = {float: (float, int)}.get(type_, type_)

    def decode_plain(value: Json) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and type_ is not bool):
            _refuse(type_.__name__, value)
        return float(value) if type_ is float else value

    return decode_plain


def _record_decoder(type_: Any) -> Decoder:
    decoders: dict[str, Decoder] = {}

    def decode_record(value: Json) -> Any:
        _expect_mapping(value)
        if not decoders:  # not before: a record may have fields of its own type
            hints = _hints(type_)
            decoders.update((name, _decoder(hints[name])) for name, _default in _defaults(type_))
        given: dict[str, Any] = {}
        for name, item in value.items():
            decode_field = decoders.get(name)
            if decode_field is not None:
                try:
                    given[name] = decode_field(item)
                except _Misfit as misfit:
                    raise misfit.below(f".{name}") from None
            elif name != "kind" or type_ not in _TAGGED:
                raise _Misfit(f"unknown keys {', '.join(sorted(value.keys() - decoders.keys()))}")
        try:
            return type_(**given)
        except TypeError as error:
            raise _Misfit(str(error)) from None

    return decode_record


def _hints(type_: type) -> dict[str, Any]:
    """The type of each annotation, as by ``typing.get_type_hints``, which calls ``compile`` for every one.

    The first call of it makes the hundred types of syntax trees: 6 % of the time of a command.
    """
    found: dict[str, Any] = {}
    for class_ in reversed(type_.__mro__):
        names = vars(sys.modules[class_.__module__])
        for name, text in (vars(class_).get("__annotations__") or {}).items():
            found[name] = _evaluate(text, names) if isinstance(text, str) else text
    return found


def _evaluate(text: str, names: dict[str, Any]) -> Any:
    """What an annotation means where these names are known; most are the name of a type and nothing else."""
    type_ = names.get(text) or vars(builtins).get(text)
    return eval(text, names) if type_ is None else type_


def _decode_resource(value: Json) -> ResourceId:
    return ResourceId.parse(value) if isinstance(value, str) else _refuse(ResourceId.__name__, value)


def _decode_anything(value: Json) -> Any:
    return value


def _expect_list(value: Json) -> None:
    if not isinstance(value, list):
        raise _Misfit(f"a list was expected, not {value!r}")


def _expect_mapping(value: Json) -> None:
    if not isinstance(value, dict):
        raise _Misfit(f"a mapping was expected, not {value!r}")


def _refuse(expected: str, value: Json) -> NoReturn:
    raise _Misfit(f"{expected} was expected, not {value!r}")
