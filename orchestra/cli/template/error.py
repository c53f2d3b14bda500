"""What is wrong with a template, and where."""

from __future__ import annotations

from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class TemplateError(UserError):
    """column: of the template, from 1."""

    def __init__(self, column: int, message: str, hint: str = "") -> None:
        super().__init__(f"--format: column {column}: {message}", hint=hint)


def suggest(word: str, known: Iterable[str], kind: str) -> str:
    """A hint: the known word that is nearest, or all of them. kind: what they are, in the plural."""
    from difflib import get_close_matches

    names = sorted(known)
    near = get_close_matches(word.lower(), [name.lower() for name in names], n=1)
    if near:
        return f"did you mean {next(name for name in names if name.lower() == near[0])}?"
    return f"{kind} are {', '.join(names)}" if names else ""
