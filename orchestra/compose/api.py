"""The loader as a library: ``orchestra.load``."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from orchestra.compose.loading import load as load_request
from orchestra.compose.request import LoadRequest
from orchestra.compose.schema.model import Model
from orchestra.record import fields, replace

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
    """Read, merge and check Compose files, as ``orchestra config`` does.

    - ``paths``: the files; later ones are merged over earlier ones. Without any, the file that the command would find.
    - ``profiles``: the active profiles; ``*`` activates all.
    - ``environment``: the variables that the files may use; None means those of this process. ``.env`` in the project
      directory adds those that are missing.
    - ``name``: the name of the stack, instead of the one in the files or that of the directory.
    - ``directory``: the project directory, which relative paths start from, instead of that of the first file.

    The result is complete (names, defaults, absolute paths) and cannot be changed. Raises ComposeFileNotFound,
    ComposeError with every problem in the files, or UserError for arguments that do not fit them.
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
    if isinstance(value, Model):
        frozen = replace(value, **{key: freeze(item) for key, item in fields(value).items()})
    elif isinstance(value, dict):
        frozen = MappingProxyType({key: freeze(item) for key, item in value.items()})
    elif isinstance(value, (tuple, list)):
        frozen = tuple(freeze(item) for item in value)
    result: Value = frozen
    return result
