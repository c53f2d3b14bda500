"""The reader of models and pydantic accept the same documents, and make the same of them."""

from __future__ import annotations

import types
import typing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from orchestra.compose.schema.model import Model
from orchestra.compose.schema.reading import read
from orchestra.compose.schema.service import Service
from orchestra.compose.schema.stack import Stack
from orchestra.compose.schema.strict import strict
from orchestra.record import fields

TEXTS = ("", "a", "5", "-1", "1.5", "1m30s", "512m", "50%", "true", "no", "0440", "all", "bind", "z", "service_healthy")
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 9), st.sampled_from((0.0, 2.0, 1.5, float("inf"))), st.sampled_from(TEXTS)
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2).map(tuple) | st.dictionaries(st.sampled_from(("a", "x-a")), inner),
    max_leaves=3,
)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of about the shape that a type asks for: now and then something else altogether."""
    return st.integers(0, 19).flatmap(lambda number: fitting(kind) if number else ANYTHING)


def fitting(kind: Any) -> st.SearchStrategy[Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Model):
        return mappings(kind)
    if origin in (typing.Annotated, typing.Union, types.UnionType):
        return st.one_of([values(argument) for argument in arguments if argument is not types.NoneType])
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(st.sampled_from(("a", "b")), values(arguments[1]), max_size=2)
    return st.sampled_from(TEXTS) if kind is str else SCALARS


def mappings(model: type[Model]) -> st.SearchStrategy[dict[str, Any]]:
    needed = [key for key in model.hints() if model.needs(key)]
    chosen = st.lists(st.sampled_from((*model.hints(), "x-own", "own")), max_size=2).map(lambda keys: {*needed, *keys})
    return chosen.flatmap(
        lambda keys: st.fixed_dictionaries({key: values(model.hints().get(key, str)) for key in sorted(keys)})
    )


def plain(value: Any) -> Any:
    """What a model has, ours or pydantic's, with the classes of its values."""
    if isinstance(value, Model):
        return {key: plain(item) for key, item in fields(value).items()}
    if isinstance(value, BaseModel):
        return {key: plain(item) for key, item in {**value.__dict__, "extensions": value.model_extra}.items()}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return type(value), value


@pytest.mark.parametrize("model", [Stack, Service])
@settings(max_examples=200)
@given(data=st.data())
def test_both_accept_the_same_and_make_the_same_of_it(model: type[Model], data: st.DataObject) -> None:
    document = data.draw(mappings(model))
    try:
        judged = strict(model).model_validate(document)
    except ValidationError:
        with pytest.raises(ValueError, match=r".*"):
            read(model, document)
    else:
        assert plain(read(model, document)) == plain(judged)


def test_limits_of_both_notations_stay_what_they_are(folder) -> None:
    loaded = folder.load("services: {web: {image: a, ulimits: {nofile: {soft: 1, hard: 2}, nproc: 3}}}")
    limits = loaded.stack.services["web"].ulimits
    assert limits is not None
    assert {key: fields(item) if isinstance(item, Model) else item for key, item in limits.items()} == {
        "nofile": {"soft": 1, "hard": 2, "extensions": {}},
        "nproc": 3,
    }
