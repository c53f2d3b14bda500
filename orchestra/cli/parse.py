"""Parses a command line with the table.

Help and mistakes are left to Typer, which has the texts for them; the result here is then None.
In a command that takes a command line as its arguments, everything after the first argument is an argument.
"""

from __future__ import annotations

from orchestra.cli import table
from orchestra.cli.invocation import Invocation
from orchestra.command_line.read import Misused, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orchestra.cli.syntax import Command


def parse(argv: Sequence[str]) -> Invocation | None:
    """Parse ``argv`` (without the program's name); return None if Typer has to handle it."""
    try:
        shared, words = read(table.GLOBAL, argv, interspersed=False)
        command, words = _command(words)
        values, others = read(table.options_after(command), words, interspersed=not command.takes_rest)
        return Invocation(command.name, shared, values | _assigned(command, others))
    except Misused:
        return None


def command_word(argv: Sequence[str]) -> str | None:
    """The first word after the global options; None if these are invalid, or nothing follows."""
    try:
        words = read(table.GLOBAL, argv, interspersed=False)[1]
    except Misused:
        return None
    return words[0] if words else None


def _command(words: list[str]) -> tuple[Command, list[str]]:
    """The command whose name ``words`` begins with, and the words after it."""
    length = 2 if words and words[0] in table.GROUPS else 1
    name = " ".join(words[:length])
    command = table.find_command(name)
    if command is None:
        raise Misused(f"no such command: {name}")
    return command, words[length:]


def _assigned(command: Command, positional: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for argument in command.arguments:
        if argument.many:
            values[argument.name], positional = positional, []
        else:
            values[argument.name], positional = positional[0] if positional else None, positional[1:]
        if argument.is_required and not values[argument.name]:
            raise Misused(f"missing argument {argument.metavar}")
        if argument.choices and values[argument.name] not in argument.choices:
            raise Misused(f"{argument.metavar}: {', '.join(argument.choices)} are known")
    if positional:
        raise Misused(f"unexpected argument: {positional[0]}")
    return values
