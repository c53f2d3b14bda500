"""The hint for a name that there is not: the one that was probably meant."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def suggest(word: str, known: Iterable[str], kind: str) -> str:
    """The known name that is nearest to ``word``, else all of them; empty when there are none.

    kind: what they are, in the plural.
    """
    from difflib import get_close_matches

    names = sorted(known)
    by_letters = {name.lower(): name for name in reversed(names)}
    near = get_close_matches(word.lower(), by_letters, n=1)
    if near:
        return f"did you mean {by_letters[near[0]]}?"
    return f"{kind} are {', '.join(names)}" if names else ""
