"""``import``: what another engine runs, as a Compose file."""

from __future__ import annotations

import os
import sys

from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestra.importing.compose_file import Imported

_STANDARD_INPUT = "-"
_ENDS = (".yaml", ".yml", ".json", ".container", ".volume", ".network", ".pod", ".quadlets")


def import_files(paths: Sequence[str]) -> Imported:
    """paths: files, directories of them, or ``-``. Raises UserError and ComposeError for what cannot be read."""
    from orchestra.importing.read import convert

    return convert([(path, _read(path)) for given in paths for path in _files(given)])


def _files(path: str) -> Iterator[str]:
    if not os.path.isdir(path):
        yield path
        return
    found = sorted(name for name in os.listdir(path) if name.endswith(_ENDS))
    if not found:
        raise UserError(f"{path} has no file that can be imported", hint=f"their names end with {', '.join(_ENDS)}")
    yield from (os.path.join(path, name) for name in found)


def _read(path: str) -> str:
    try:
        if path == _STANDARD_INPUT:
            return sys.stdin.buffer.read().decode()
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8") from error
