"""Reading the beginning of a command line by a table of options: for completion, so nothing in it is an error."""

from __future__ import annotations

from orchestra.command_line.option import FLAG, LIST, NUMBER
from orchestra.command_line.read import TRUTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orchestra.command_line.option import Option


class Unfinished:
    """What the words so far say.

    values: of the options, by their names, as ``read`` gives them. given: names of the options that were given. others:
    the other words. awaited: the option whose value comes next. is_closed: whether no option can follow.
    """

    def __init__(self, options: Sequence[Option], words: Sequence[str], *, interspersed: bool) -> None:
        self._flags = {flag: option for option in options for flag in option.flags}
        self.values: dict[str, Any] = {option.name: option.initial for option in options}
        self.given: set[str] = set()
        self.others: list[str] = []
        self.awaited: Option | None = None
        self.is_closed = False
        for position, word in enumerate(words):
            if self.awaited is not None:
                self._keep(self.awaited, word)
                self.awaited = None
            elif word == "--":
                self.is_closed = True
                self.others += words[position + 1 :]
                break
            elif word.startswith("-") and word != "-":
                self._take(word)
            else:
                self.others.append(word)
                if not interspersed:
                    self.is_closed = True
                    self.others += words[position + 1 :]
                    break

    def _take(self, word: str) -> None:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            self._give(self._flags.get(name), value if equals else None)
            return
        for position, letter in enumerate(word[1:], 2):
            option, rest = self._flags.get(f"-{letter}"), word[position:]
            if (option is not None and option.kind != FLAG) or rest.startswith("="):
                is_flag = option is None or option.kind == FLAG
                self._give(option, (rest[1:] if is_flag else rest) or None)
                return
            self._give(option, None)

    def _give(self, option: Option | None, value: str | None) -> None:
        if option is None:
            return
        if option.kind == FLAG:
            self.given.add(option.name)
            self.values[option.name] = value is None or TRUTH.get(value, True)
        elif value is None:
            self.awaited = option
        else:
            self._keep(option, value)

    def _keep(self, option: Option, value: str) -> None:
        self.given.add(option.name)
        if option.choices and value not in option.choices:
            return
        if option.kind == LIST:
            self.values[option.name] = [*self.values[option.name], value]
        elif option.kind != NUMBER:
            self.values[option.name] = value
        elif value.lstrip("-").isdecimal():
            self.values[option.name] = int(value)
