"""The types of commands and arguments, for the command tables. Standard library only, and cheap."""

from __future__ import annotations

from orchestra.command_line.option import Option  # noqa: TC001 - the hints of a record are evaluated
from orchestra.record import Record


class Argument(Record):
    """A positional value. optional: None or empty if it is left out. many: all remaining words, perhaps none; some: at
    least one of them; rest: all remaining words, including options. choices: the allowed values, if they are limited.
    """

    name: str
    metavar: str
    help: str
    many: bool = False
    rest: bool = False
    optional: bool = False
    some: bool = False
    choices: tuple[str, ...] = ()

    @property
    def is_required(self) -> bool:
        return not self.optional if self.rest else self.some or not (self.many or self.optional)


class Command(Record):
    """module: its name below ``orchestra.cli``; has ``run(invocation) -> exit code``."""

    name: str
    module: str
    help: str
    options: tuple[Option, ...] = ()
    arguments: tuple[Argument, ...] = ()

    @property
    def takes_rest(self) -> bool:
        return any(argument.rest for argument in self.arguments)
