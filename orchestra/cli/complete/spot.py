"""What is at the cursor of a command line. Pure: uses the command table alone."""

from __future__ import annotations

from orchestra.cli import table
from orchestra.command_line.option import FLAG, LIST, Option
from orchestra.command_line.unfinished import Unfinished
from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from orchestra.cli.syntax import Command

HELP = Option("help", ("-h", "--help"), FLAG, "Show help")
VERSION = Option("version", ("-v", "--version"), FLAG, "Show the version")


class Choice(Record):
    """One of a few words, with the meaning of each ('' if it has no description)."""

    meanings: Mapping[str, str]


class Value(Record):
    """A value that is looked up: a service, a file. name, metavar: of the option or argument. taken: its values so
    far. earlier: arguments before it.
    """

    name: str
    metavar: str
    taken: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()


class Spot(Record):
    """shared: values of the global options so far. before: what the word at the cursor begins with, up to the value
    that is completed; begun: the value so far.
    """

    kind: Choice | Value
    shared: Mapping[str, Any]
    begun: str
    before: str = ""


NOTHING = Choice({})


def find_spot(words: Sequence[str], current: str) -> Spot:
    """words: after the program's name, before the word at the cursor; current: that word up to the cursor."""
    shared = Unfinished(table.GLOBAL, words, interspersed=False)
    if not shared.others:
        if shared.awaited is not None or shared.is_closed or current.startswith("-"):
            return _in_options((*table.GLOBAL, VERSION), shared, shared, current)
        return Spot(Choice(_first_words()), shared.values, current)
    first, *words = shared.others
    if first in table.GROUPS:
        if not words:
            kind = Choice({"--help": HELP.help} if current.startswith("-") else _second_words(first))
            return Spot(kind, shared.values, current)
        first, words = f"{first} {words[0]}", words[1:]
    command = table.find_command(first)
    if command is None:
        return Spot(NOTHING, shared.values, current)
    own = Unfinished(command.options, words, interspersed=not command.takes_rest)
    if own.awaited is not None or (current.startswith("-") and not own.is_closed):
        return _in_options(command.options, own, shared, current)
    if command.name == "help":
        return Spot(_command_after(own.others), shared.values, current)
    return Spot(_argument(command, own.others), shared.values, current)


def _command_after(words: Sequence[str]) -> Choice:
    """The words that may follow these words of a command's name."""
    if not words:
        return Choice(_first_words())
    return Choice(_second_words(words[0])) if len(words) == 1 else NOTHING


def _first_words() -> dict[str, str]:
    single = {command.name: command.help for command in table.COMMANDS if " " not in command.name}
    return single | table.GROUPS


def _second_words(group: str) -> dict[str, str]:
    pairs = ((command.name.partition(" "), command.help) for command in table.COMMANDS)
    return {second: help for (first, _, second), help in pairs if first == group and second}


def _in_options(options: Sequence[Option], own: Unfinished, shared: Unfinished, current: str) -> Spot:
    """An option's name, or its value: as a word of its own, or after ``--option=``."""
    if own.awaited is not None:
        return Spot(_value_of(own.awaited, own), shared.values, current)
    name, equals, begun = current.partition("=")
    if equals:
        option = next((each for each in options if name in each.flags and name.startswith("--")), None)
        kind = NOTHING if option is None or option.kind == FLAG else _value_of(option, own)
        return Spot(kind, shared.values, begun, name + equals)
    offered = [
        each for each in (*options, HELP) if not each.hidden and (each.kind == LIST or each.name not in own.given)
    ]
    return Spot(Choice({flag: each.help for each in offered for flag in each.flags}), shared.values, current)


def _value_of(option: Option, own: Unfinished) -> Choice | Value:
    if option.choices:
        return Choice(dict.fromkeys(option.choices, ""))
    taken = tuple(own.values[option.name]) if option.kind == LIST else ()
    return Value(option.name, option.metavar, taken)


def _argument(command: Command, others: Sequence[str]) -> Choice | Value:
    for position, argument in enumerate(command.arguments):
        if argument.many or position == len(others):
            if argument.choices:
                return Choice(dict.fromkeys(argument.choices, ""))
            earlier = tuple(others[:position])
            return Value(argument.name, argument.metavar.strip("[]."), tuple(others[position:]), earlier)
    return NOTHING
