"""The models as pydantic has them, which finds all the mistakes in a document, and makes the JSON Schema.

Importing this is expensive: only for a document that ``orchestra.compose.schema.reading`` has refused.
"""

import types
import typing
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WrapValidator,
    create_model,
)

from orchestra.compose.schema.model import Model, OrNothing, Written


class _Strict(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, defer_build=True)
    __pydantic_extra__: dict[Annotated[str, StringConstraints(pattern="^x-")], Any]


_made: dict[type[Model], type[BaseModel]] = {}


def strict(model: type[Model]) -> type[BaseModel]:
    """The same model for pydantic: with the same name, description, types, and defaults."""
    if model not in _made:
        _made[model] = _make(model)
    return _made[model]


def _make(model: type[Model]) -> type[BaseModel]:
    fields: dict[str, Any] = {key: (_translated(kind), _default(model, key)) for key, kind in model.hints().items()}
    made: type[BaseModel] = create_model(model.__name__, __base__=_Strict, __doc__=model.__doc__, **fields)
    return made


def _default(model: type[Model], key: str) -> Any:
    if model.needs(key):
        return ...
    default = model.default(key)
    if isinstance(default, dict):
        return Field(default_factory=dict)
    return strict(type(default)).model_construct() if isinstance(default, Model) else default


def _translated(kind: Any) -> Any:
    """A type of a model as pydantic needs it."""
    if isinstance(kind, type) and issubclass(kind, Model):
        return strict(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _noted(*arguments)
    if origin is tuple:
        return tuple[_translated(arguments[0]), ...]  # type: ignore[misc]  # it is made while the program runs
    if origin is dict:
        return dict[str, _translated(arguments[1])]  # type: ignore[misc]
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(map(_translated, arguments))]  # noqa: UP007 - the same
    return kind


def _noted(kind: Any, note: object) -> Any:
    kind = _translated(kind)
    if isinstance(note, OrNothing):
        empty = BeforeValidator(lambda value: {} if value is None else value, json_schema_input_type=kind | None)
        return Annotated[kind, empty]
    assert isinstance(note, Written)
    looks = _translated(note.looks)
    if note.mapping is None:
        return Annotated[kind, PlainValidator(note.read, json_schema_input_type=looks)]
    read_value = note.read
    either = WrapValidator(
        lambda value, read_mapping: read_mapping(value) if isinstance(value, dict) else read_value(value),
        json_schema_input_type=looks,
    )
    return Annotated[strict(note.mapping), either]
