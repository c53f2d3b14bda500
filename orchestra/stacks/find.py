"""Finding one of several things by what a user types: its name, or the beginning of its ID."""

from __future__ import annotations

from typing import TypeVar

from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class Identified(Protocol):
        @property
        def name(self) -> str: ...

        @property
        def id(self) -> str: ...


Thing = TypeVar("Thing", bound="Identified")


def find_one(known: Sequence[Thing], word: str, noun: str) -> Thing:
    """A name goes before an ID. noun: what the things are, for messages. Raises UserError if none fits, or several."""
    named = [each for each in known if each.name == word]
    found = named or [each for each in known if word and each.id.startswith(word)]
    if len(found) > 1:
        raise UserError(f"several {noun}s have the ID or name {word}", hint="use more of the ID, or the name")
    if not found:
        from orchestra.nearest import suggest

        hint = suggest(word, [each.name for each in known], f"{noun}s") or f"there are no {noun}s"
        raise UserError(f"no such {noun}: {word}", hint=hint)
    return found[0]
