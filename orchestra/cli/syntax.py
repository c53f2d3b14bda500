"""What a command, an option and an argument are, for the tables of them. Standard library only, and cheap."""

from __future__ import annotations

from typing import NamedTuple

from orchestra.record import Record

FLAG, TEXT, NUMBER, LIST = "flag", "text", "number", "list"
"""Kinds of options: present or not; one string; one integer; any number of strings, in order."""


class Option(NamedTuple):
    """name: of the value. flags: as typed. default: None for a text or number that was not given.

    metavar: what stands for the value in help; choices: all it may be, if not everything.
    """

    name: str
    flags: tuple[str, ...]
    kind: str
    help: str
    default: str | int | None = None
    metavar: str = ""
    choices: tuple[str, ...] = ()
    hidden: bool = False

    @property
    def initial(self) -> object:
        """The value when the option is not given."""
        return {FLAG: False, LIST: []}.get(self.kind, self.default)


class Argument(Record):
    """A positional value. optional: None when it is left out. many: all that is left, perhaps none; some: at least
    one of them; rest: all that is left, options included.
    """

    name: str
    metavar: str
    help: str
    many: bool = False
    rest: bool = False
    optional: bool = False
    some: bool = False

    @property
    def is_required(self) -> bool:
        return self.rest or self.some or not (self.many or self.optional)


class Command(Record):
    """module: below ``orchestra.cli``, with ``run(invocation) -> exit code``."""

    name: str
    module: str
    help: str
    options: tuple[Option, ...] = ()
    arguments: tuple[Argument, ...] = ()

    @property
    def takes_rest(self) -> bool:
        return any(argument.rest for argument in self.arguments)
