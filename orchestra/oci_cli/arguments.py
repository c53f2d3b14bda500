"""Options of a command line in the style of runc: ``--long VALUE``, ``--long=VALUE``, ``-s VALUE``, in any order.

A command's options are declared in one line of words: ``name|n=`` takes a value, ``name|n*`` may be repeated with a
value each time, and ``name|n`` takes none.
"""

from __future__ import annotations

from orchestra.command_line.option import FLAG, LIST, TEXT, Option
from orchestra.command_line.read import Misused, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

KINDS = {"=": TEXT, "*": LIST}


def declared(declaration: str) -> list[Option]:
    """The options that a line of words declares."""
    options: list[Option] = []
    for word in declaration.split():
        names = word.rstrip("=*").split("|")
        flags = [f"{'-' if len(name) == 1 else '--'}{name}" for name in names]
        options.append(Option(names[0], flags, KINDS.get(word[-1], FLAG)))
    return options


class Options:
    """The options given. For an option that was not, they return None, an empty list or False, as it is declared."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def flag(self, name: str) -> bool:
        return self._values[name] is True

    def value(self, name: str) -> str | None:
        text: str | None = self._values[name]
        return text

    def values(self, name: str) -> list[str]:
        texts: list[str] = self._values[name]
        return texts

    def number(self, name: str) -> int | None:
        text = self.value(name)
        try:
            return None if text is None else int(text)
        except ValueError:
            raise Misused(f"--{name}: {text!r} is not a number") from None


def parse(declaration: str, words: Sequence[str], *, interspersed: bool) -> tuple[Options, list[str]]:
    """The options and the arguments; unless ``interspersed``, the first argument ends the options. Raises Misused."""
    values, others = read(declared(declaration), words, interspersed=interspersed, letters=False)
    return Options(values), others
