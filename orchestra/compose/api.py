"""The loader as a library: ``orchestra.load``."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from orchestra.compose.loading import load as load_request
from orchestra.compose.request import LoadRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.compose.schema.stack import Stack

Value = TypeVar("Value")


def load(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    *,
    profiles: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    name: str | None = None,
    directory: str | os.PathLike[str] | None = None,
) -> Stack:
    """Read, merge and check Compose files: what ``orchestra config`` prints, as models.

    paths: the files, later ones over earlier ones; none for those that the command would find from here.
    profiles: those that are active; ``*`` is all. environment: the variables that files may use, the process's own
    when None; ``.env`` beside the first file fills what it leaves open. name: of the stack, instead of the files' or
    the directory's. directory: what relative paths are relative to, instead of the first file's own.

    The result is complete (names, defaults, absolute paths) and cannot be changed. Raises ``orchestra.errors``'s
    ComposeFileNotFound, ComposeError with every problem of the files, or UserError for what does not fit them.
    """
    files = (paths,) if isinstance(paths, (str, os.PathLike)) else tuple(paths)
    request = LoadRequest(
        environment=dict(os.environ if environment is None else environment),
        working_directory=os.getcwd(),
        files=tuple(os.fspath(path) for path in files),
        project_directory=None if directory is None else os.fspath(directory),
        project_name=name,
        profiles=tuple(profiles),
    )
    return freeze(load_request(request).stack)


def freeze(value: Value) -> Value:
    """The same with every mapping read-only, however deep; models and tuples are so already."""
    frozen: Any = value
    if isinstance(value, BaseModel):
        frozen = value.model_copy(update={key: freeze(item) for key, item in dict(value).items()})
    elif isinstance(value, dict):
        frozen = MappingProxyType({key: freeze(item) for key, item in value.items()})
    elif isinstance(value, (tuple, list)):
        frozen = tuple(freeze(item) for item in value)
    result: Value = frozen
    return result
