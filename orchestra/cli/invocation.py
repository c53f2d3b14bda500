"""A parsed command line, which every command's ``run`` receives. Standard library only."""

from __future__ import annotations

import os

from orchestra.cli.table import find_command
from orchestra.model.project import Project
from orchestra.record import Record
from orchestra.stacks.context import make_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO, TypeVar

    from orchestra.stacks.context import Context

    T = TypeVar("T", bound=Record)


class Invocation(Record):
    """command: its name in the table. shared: the global options; values: the command's own. Both by parameter name,
    complete with defaults; ``orchestra.cli.surroundings`` adds the values of variables.
    """

    command: str
    shared: dict[str, Any]
    values: dict[str, Any]

    @property
    def context(self) -> Context:
        """Raises EnvironmentLack for a user without a home directory."""
        return self.make_context()

    def make_context(self, *, enters: bool = True) -> Context:
        """enters: as in ``stacks.context``."""
        shared = self.shared
        project = Project(
            files=tuple(shared["files"]),
            directory=shared["project_directory"],
            name=shared["project_name"],
            profiles=tuple(shared["profiles"]),
            env_files=tuple(shared["env_files"]),
            runtime=shared["runtime"],
            all_resources=shared["all_resources"],
            compatibility=shared["compatibility"],
        )
        command = " ".join((self.command, *self.arguments))
        return make_context(shared["driver"], project, command, shared["parallel"], enters=enters)

    @property
    def arguments(self) -> list[str]:
        """The words of the command line that are no options, such as names of services."""
        command = find_command(self.command)
        given = [self.values.get(argument.name) for argument in command.arguments] if command else []
        return [str(word) for one in given if one for word in (one if isinstance(one, list) else [one])]

    def options(self, type_: type[T]) -> T:
        """type_: a record whose fields are named after values of the command line."""
        given = {name: self.values[name] for name in type_._fields}
        return type_(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})

    def colors(self, stream: TextIO) -> bool:
        """Whether to write ANSI colours to ``stream``: ``--ansi``, then NO_COLOR (no-color.org), then a terminal."""
        return use_colors(stream, self.shared["ansi"] or "auto")


def use_colors(stream: TextIO, ansi: str = "auto") -> bool:
    """Whether to write ANSI colours to ``stream``; ansi: as ``--ansi`` has it."""
    if ansi != "auto":
        return ansi == "always"
    return not os.environ.get("NO_COLOR") and stream.isatty()
