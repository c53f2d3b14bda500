"""Reading a command line by a table of options, without any library.

Options may stand before, between and after arguments; ``--`` ends them. A flag may be followed by ``=true`` or
``=false``, as commands written in Go have it.
"""

from __future__ import annotations

from orchestra.command_line.option import FLAG, LIST, NUMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from orchestra.command_line.option import Option

TRUTH = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


class Misused(Exception):
    """What is wrong with a command line, in words."""


def read(
    options: Sequence[Option], words: Sequence[str], *, interspersed: bool, letters: bool = True
) -> tuple[dict[str, Any], list[str]]:
    """Values of the options by their names, and the other words.

    interspersed: else the first of the other words ends the options. letters: ``-aq`` is ``-a -q`` and ``-n5`` is ``-n
    5``; else one dash is as good as two. Raises Misused.
    """
    flags = {flag: option for option in options for flag in option.flags}
    if not letters:
        flags = {f"--{flag.lstrip('-')}": option for flag, option in flags.items()}
    values: dict[str, Any] = {option.name: option.initial for option in options}
    others: list[str] = []
    pending = list(reversed(words))
    while pending:
        word = pending.pop()
        if word == "--":
            break
        if word == "-" or not word.startswith("-"):
            others.append(word)
            if not interspersed:
                break
        elif letters and not word.startswith("--"):
            _take_letters(flags, values, word, pending)
        else:
            name, equals, value = word.partition("=")
            _take(flags, values, f"--{name.lstrip('-')}", value if equals else None, pending)
    return values, others + pending[::-1]


def _take_letters(flags: Mapping[str, Option], values: dict[str, Any], word: str, pending: list[str]) -> None:
    for position in range(1, len(word)):
        flag, rest = f"-{word[position]}", word[position + 1 :]
        option = flags.get(flag)
        if option is not None and option.kind != FLAG:
            _take(flags, values, flag, rest or None, pending)
            return
        if rest.startswith("="):
            _take(flags, values, flag, rest[1:], pending)
            return
        _take(flags, values, flag, None, pending)


def _take(
    flags: Mapping[str, Option], values: dict[str, Any], flag: str, given: str | None, pending: list[str]
) -> None:
    """pending: the words that follow, the next one last; a value is taken from them."""
    option = flags.get(flag)
    if option is None:
        raise Misused(f"unknown option {flag}")
    if option.kind == FLAG:
        if given is not None and given not in TRUTH:
            raise Misused(f"{flag}: expected true or false, not {given!r}")
        values[option.name] = given is None or TRUTH[given]
        return
    if given is None:
        if not pending:
            raise Misused(f"{flag} needs a value")
        given = pending.pop()
    if option.choices and given not in option.choices:
        raise Misused(f"{flag}: expected one of {', '.join(option.choices)}, not {given!r}")
    if option.kind == LIST:
        values[option.name] = [*values[option.name], given]
    elif option.kind == NUMBER:
        try:
            values[option.name] = int(given)
        except ValueError:
            raise Misused(f"{flag}: {given!r} is not a number") from None
    else:
        values[option.name] = given
