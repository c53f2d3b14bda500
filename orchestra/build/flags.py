"""The ``--name=value`` words before the arguments of an instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.build.problem import Wrong
from orchestra.nearest import suggest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.build.words import Word


class Flags:
    """The flags of one instruction, which are asked for by name."""

    def __init__(
        self, keyword: str, words: Iterable[Word], known: Iterable[str], repeatable: Iterable[str] = ()
    ) -> None:
        """Raises Wrong for a flag that is not known, or is given twice although it is not repeatable."""
        self._values: dict[str, list[tuple[str | None, Word]]] = {}
        known = frozenset(known)
        repeatable = frozenset(repeatable)
        for word in words:
            name, equals, value = word.text[2:].partition("=")
            if name not in known | repeatable:
                hint = suggest(name, known | repeatable, "flags") if known | repeatable else ""
                raise Wrong(f"unknown flag: {name}", hint or f"{keyword} has no flags", word.part)
            if name in self._values and name not in repeatable:
                raise Wrong(f"duplicate flag specified: {name}", "", word.part)
            self._values.setdefault(name, []).append((value if equals else None, word))

    def values(self, name: str) -> tuple[str, ...]:
        """The values of a flag, in their order. Raises Wrong if one is missing."""
        found: list[str] = []
        for value, word in self._values.get(name, ()):
            if value is None:
                raise Wrong(f"missing a value on flag: {name}", f"write --{name}=VALUE", word.part)
            found.append(value)
        return tuple(found)

    def text(self, name: str) -> str:
        """The value, or empty."""
        return "".join(self.values(name))

    def boolean(self, name: str) -> bool | None:
        """None if the flag is not given; a flag without a value is true."""
        for value, word in self._values.get(name, ()):
            if value is None or value.lower() == "true":
                return True
            if value.lower() == "false":
                return False
            if not value:
                raise Wrong(f"missing a value on flag: {name}", "", word.part)
            raise Wrong(f"expecting boolean value for flag {name}, not: {value}", "write true or false", word.part)
        return None

    def part(self, name: str) -> tuple[int, int] | None:
        """The place of the flag in the text of the instruction, if it is given."""
        given = self._values.get(name)
        return given[0][1].part if given else None
