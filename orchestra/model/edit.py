"""Following the file of a stack: what is loaded anew when a file changes, and what came of the last change."""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.model.location import Location
from orchestra.model.project import Chosen, Project
from orchestra.model.revision import Author
from orchestra.record import Record


class Follow(Record):
    """at: Unix time of the command that asked for it, by which this following is known. digest: sha256 in hexadecimal
    of the desired state that was loaded last. The rest is what that command was given: it may hold secrets.

    builds: missing images are built. edits: how many there were; clocks may be set back, so this tells which is later.
    """

    at: float
    digest: str
    driver: str
    project: Project
    working_directory: str
    environment: Mapping[str, str]
    author: Author
    chosen: Chosen
    builds: bool = True
    edits: int = 0


class Edit(Record):
    """What came of a change of the files: nothing was changed if there is an error. at: Unix seconds.

    location: of the first problem in the files.
    """

    at: float
    error: str = ""
    hint: str = ""
    location: Location | None = None

    @property
    def place(self) -> str:
        """``FILE:LINE:COLUMN: `` or empty."""
        where = self.location
        return f"{where.path}:{where.line}:{where.column}: " if where else ""
