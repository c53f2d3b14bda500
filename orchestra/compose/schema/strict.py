"""The models as pydantic has them, which finds all the mistakes in a document, and makes the JSON Schema.

Importing this is expensive: only for a document that ``orchestra.compose.schema.reading`` has refused.
"""

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

from orchestra.compose.schema.model import Model, Written


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
    fields: dict[str, Any] = {key: (kind, _default(model, key)) for key, kind in model.hints().items()}
    made: type[BaseModel] = create_model(model.__name__, __base__=_Strict, __doc__=model.__doc__, **fields)
    return made


def _default(model: type[Model], key: str) -> Any:
    if model.needs(key):
        return ...
    default = model.default(key)
    if isinstance(default, dict):
        return Field(default_factory=dict)
    return strict(type(default)).model_construct() if isinstance(default, Model) else default


def validator(note: Written) -> PlainValidator | WrapValidator:
    """What pydantic does for a value with a notation of its own."""
    if note.mapping is None:
        return PlainValidator(note.read, json_schema_input_type=note.looks)
    return WrapValidator(
        lambda value, read_mapping: read_mapping(value) if isinstance(value, dict) else note.read(value),
        json_schema_input_type=note.looks,
    )


def nothing_or(model: type[Model]) -> BeforeValidator:
    """What pydantic does for a mapping that may be left out."""
    return BeforeValidator(lambda value: {} if value is None else value, json_schema_input_type=model | None)
