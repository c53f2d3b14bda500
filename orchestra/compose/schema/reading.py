"""From plain data to models, and no further than to the first mistake: what is wrong is for ``strict`` to say.

A reader is made of a type when a file first has a value of it. Importing pydantic and making its validators of all
models takes ten times as long as loading a usual file, and says the same of a file without mistakes.
"""

import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from orchestra.compose.schema.model import Model, OrNothing, Written

M = TypeVar("M", bound=Model)
Reader = Callable[[Any], Any]


def read(model: type[M], data: object) -> M:
    """The model of ``data``, which consists of dict, tuple and scalars. Raises ValueError if it does not fit."""
    kind: Any = model
    result: M = _reader(kind)(data)
    return result


@cache
def _reader(kind: Any) -> Reader:
    if kind is str:
        return _read_text
    if isinstance(kind, type) and issubclass(kind, Model):
        return _model_reader(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _annotated_reader(*arguments)
    if origin is typing.Literal:
        return _choice_reader(arguments)
    if origin is tuple:
        return _sequence_reader(_reader(arguments[0]))
    if origin is dict:
        return _mapping_reader(_reader(arguments[1]))
    if origin in (typing.Union, types.UnionType) and len(arguments) == 2 and arguments[1] is types.NoneType:
        return _optional_reader(_reader(arguments[0]))
    raise TypeError(f"no way to read {kind}")


def _model_reader(model: type[Model]) -> Reader:
    readers: dict[str, Reader] = {}

    def read_model(value: Any) -> Model:
        if type(value) is not dict:
            raise ValueError
        fields: dict[str, Any] = {}
        extensions: dict[str, Any] = {}
        for key, item in value.items():
            read_item = readers.get(key)
            if read_item is not None:
                fields[key] = read_item(item)
            elif key in model.hints():
                readers[key] = _reader(model.hints()[key])
                fields[key] = readers[key](item)
            elif key.startswith("x-"):
                extensions[key] = item
            else:
                raise ValueError
        try:
            return model(extensions=extensions, **fields)
        except TypeError:
            raise ValueError from None  # a key is missing

    return read_model


def _annotated_reader(kind: Any, note: object) -> Reader:
    if isinstance(note, OrNothing):
        read_mapping = _reader(kind)
        return lambda value: read_mapping({} if value is None else value)
    assert isinstance(note, Written)
    if note.mapping is None:
        return note.read
    read_value, read_mapping = note.read, _reader(note.mapping)
    return lambda value: read_mapping(value) if isinstance(value, dict) else read_value(value)


def _optional_reader(read_value: Reader) -> Reader:
    return lambda value: None if value is None else read_value(value)


def _choice_reader(choices: tuple[str, ...]) -> Reader:
    def read_choice(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError
        return value

    return read_choice


def _sequence_reader(read_item: Reader) -> Reader:
    def read_sequence(value: Any) -> tuple[Any, ...]:
        if type(value) is not tuple:
            raise ValueError
        return tuple(map(read_item, value))

    return read_sequence


def _mapping_reader(read_item: Reader) -> Reader:
    def read_mapping(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise ValueError
        return {key: read_item(item) for key, item in value.items()}

    return read_mapping


def _read_text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError
    return value
