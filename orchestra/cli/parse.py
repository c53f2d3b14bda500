"""Reading a command line by the table, without any library.

Whoever asks for help or gets it wrong is sent on to Typer, which has the words for it: the answer here is then None.
Options may stand before, between and after arguments; ``--`` ends them; after the first argument of a command that
takes a command line of its own, everything is an argument.
"""

from __future__ import annotations

from orchestra.cli import syntax, table
from orchestra.cli.invocation import Invocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orchestra.cli.syntax import Command, Option


class NotUnderstood(Exception):
    """The command line does not fit the table."""


def parse(argv: Sequence[str]) -> Invocation | None:
    """What ``argv`` (without the program's name) asks for; None when only Typer can tell."""
    words = list(argv)
    try:
        shared = _read(table.GLOBAL, words, interspersed=False)[0]
        command = _take_command(words)
        values, positional = _read(command.options, words, interspersed=not command.takes_rest)
        values.update(_assign(command, positional))
    except NotUnderstood:
        return None
    return Invocation(command.name, shared, values)


def command_word(argv: Sequence[str]) -> str | None:
    """The first word after the global options; None where these make no sense, or nothing follows."""
    words = list(argv)
    try:
        _read(table.GLOBAL, words, interspersed=False)
    except NotUnderstood:
        return None
    return words[0] if words else None


def _take_command(words: list[str]) -> Command:
    """The command whose name ``words`` begins with, taken away from it."""
    if words and words[0] in table.GROUPS:
        name = " ".join(words[:2])
        del words[:2]
    else:
        name = words.pop(0) if words else ""
    command = table.find_command(name)
    if command is None:
        raise NotUnderstood
    return command


def _read(options: Sequence[Option], words: list[str], *, interspersed: bool) -> tuple[dict[str, Any], list[str]]:
    """Values of the options, which are taken from ``words``, and all the rest.

    Not interspersed: the first argument and what follows stay in ``words`` too.
    """
    flags = {flag: option for option in options for flag in option.flags}
    values: dict[str, Any] = {option.name: option.initial for option in options}
    positional: list[str] = []
    while words:
        word = words[0]
        if word == "--":
            del words[0]
            break
        if not word.startswith("-") or word == "-":
            if not interspersed:
                break
            positional.append(words.pop(0))
            continue
        del words[0]
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            _take(flags, values, name, value if equals else None, words)
        else:
            _take_letters(flags, values, word, words)
    return values, [*positional, *words]


def _take_letters(flags: dict[str, Option], values: dict[str, Any], word: str, words: list[str]) -> None:
    """``-aq``, ``-n5`` and ``-n 5``."""
    position = 1
    while position < len(word):
        flag = f"-{word[position]}"
        rest = word[position + 1 :]
        option = flags.get(flag)
        if option is not None and option.kind != syntax.FLAG:
            _take(flags, values, flag, rest or None, words)
            return
        _take(flags, values, flag, None, words)
        position += 1


def _take(flags: dict[str, Option], values: dict[str, Any], flag: str, given: str | None, words: list[str]) -> None:
    option = flags.get(flag)
    if option is None:
        raise NotUnderstood
    if option.kind == syntax.FLAG:
        if given is not None:
            raise NotUnderstood
        values[option.name] = True
        return
    if given is None:
        if not words:
            raise NotUnderstood
        given = words.pop(0)
    if option.choices and given not in option.choices:
        raise NotUnderstood
    if option.kind == syntax.LIST:
        values[option.name] = [*values[option.name], given]
    elif option.kind == syntax.NUMBER:
        try:
            values[option.name] = int(given)
        except ValueError:
            raise NotUnderstood from None
    else:
        values[option.name] = given


def _assign(command: Command, positional: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for argument in command.arguments:
        if argument.many:
            values[argument.name], positional = positional, []
        else:
            values[argument.name], positional = positional[0] if positional else None, positional[1:]
        if argument.is_required and not values[argument.name]:
            raise NotUnderstood
    if positional:
        raise NotUnderstood
    return values
