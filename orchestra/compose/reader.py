"""The loader's only way to the outside: files and the process environment, with a record of all that was asked."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

from orchestra.compose.request import Inputs
from orchestra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

STANDARD_INPUT = "-"


class Reader:
    """Reads each file once; remembers digests and variables for ``Inputs``."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._contents: dict[str, bytes | None] = {}
        self._variables: dict[str, str | None] = {}

    def read(self, path: str) -> bytes | None:
        """The content of a file, None when there is none. Raises UserError when it may not be read."""
        if path not in self._contents:
            self._contents[path] = self._read(path)
        return self._contents[path]

    def _read(self, path: str) -> bytes | None:
        if path == STANDARD_INPUT:
            return sys.stdin.buffer.read()
        try:
            with open(path, "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from error

    def variable(self, name: str) -> str | None:
        """A variable of the process environment."""
        value = self._environment.get(name)
        self._variables[name] = value
        return value

    @property
    def inputs(self) -> Inputs:
        files = {
            path: None if content is None else hashlib.sha256(content).hexdigest()
            for path, content in self._contents.items()
            if path != STANDARD_INPUT
        }
        return Inputs(files, dict(self._variables), STANDARD_INPUT not in self._contents)
