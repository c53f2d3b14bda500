"""Every error that a caller is meant to see, as one small tree.

    OrchestraError
    ├── UserError             something the user wrote or asked for; exit code 1 unless the class says otherwise
    │   └── FileError         a file is wrong; carries every Diagnostic of the phase
    │       ├── ComposeError      a Compose file                                           exit code 15
    │       │   └── ComposeFileNotFound                                                    exit code 14
    │       └── DockerfileError   a Dockerfile or .dockerignore                            exit code 17
    ├── EnvironmentLack       the machine lacks a permission, a program or a kernel feature
    │   └── Unreachable       the other machine, or the Orchestra there                exit code 18
    └── DriverError           a driver could not do what it was asked
        ├── TemporaryError    worth trying again
        │   └── StillInUse    cannot be removed as long as others use it
        └── FatalError        will fail again until something changes

Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

import os

from orchestra.named_tuple import NamedTuple


class Span(NamedTuple):
    """A place in a source text. Lines and columns count from 1; the end column is exclusive."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class Diagnostic(NamedTuple):
    """One problem of a file or a request.

    - ``code``: stable and documented, such as ``unknown-key``.
    - ``message``: what is wrong, in lower case and without a full stop. ``hint``: what to do about it, or empty.
    - ``span``: the place. ``source_line``: the text of its line, for the caret.
    - ``subject``: the path in the document, such as ``services.web.ports``.
    """

    code: str
    message: str
    span: Span | None = None
    subject: str = ""
    hint: str = ""
    source_line: str = ""


class OrchestraError(Exception):
    """Base of all errors that users see. ``hint`` says what to do, or is empty."""

    exit_code = 1
    temporary = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UserError(OrchestraError):
    """The user wrote or asked for something that cannot be done."""


class FileError(UserError):
    """A file is wrong. ``diagnostics`` has every problem that was found, sorted by position."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("; ".join(diagnostic.message for diagnostic in diagnostics))
        self.diagnostics = diagnostics


class ComposeError(FileError):
    """A Compose file is wrong."""

    exit_code = 15


class ComposeFileNotFound(ComposeError):
    """No Compose file was found, or a named one does not exist."""

    exit_code = 14


class DockerfileError(FileError):
    """A Dockerfile or a .dockerignore file is wrong, or cannot be built as it was asked to."""

    exit_code = 17


class EnvironmentLack(OrchestraError):
    """The machine lacks a permission, a program or a kernel feature that is needed."""


class Unreachable(EnvironmentLack):
    """Another machine that a command is for cannot be reached, or no fitting Orchestra answers there."""

    exit_code = 18


class DriverError(OrchestraError):
    """A driver could not do what it was asked."""


class TemporaryError(DriverError):
    """The same call may succeed later: the engine tries again with back-off."""

    temporary = True


class StillInUse(TemporaryError):
    """Something cannot be removed as long as another stack uses it: ``down`` leaves it, and has not failed."""


class FatalError(DriverError):
    """The same call fails again until the file or the machine changes: ``up`` ends with it."""


_LONGEST = 400
"""Characters of a path in a message. Containers make paths of thousands."""


def describe(error: OSError) -> str:
    """``PATH: No such file or directory``, without Python's number; of a very long path only the ends."""
    if error.filename is None or error.strerror is None:
        return error.strerror or str(error)
    paths = [os.fsdecode(each) for each in (error.filename, error.filename2) if isinstance(each, (str, bytes))]
    shown = [path if len(path) <= _LONGEST else f"{path[: _LONGEST // 2]}…{path[-_LONGEST // 2 :]}" for path in paths]
    return f"{' -> '.join(shown) or error.filename}: {error.strerror}"
