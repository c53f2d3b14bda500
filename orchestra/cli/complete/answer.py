"""``orchestra __complete``: answers the scripts beside this module. It is not in the table, since users do not type it.

    orchestra __complete bash LINE WORDBREAKS
    orchestra __complete zsh|fish WORDS... CURRENT

Prints one word per line, with a tab and its meaning; or ``:files`` or ``:directories``, which the shell completes.
"""

from __future__ import annotations

import sys

from orchestra.cli.complete.line import split_line
from orchestra.cli.complete.spot import find_spot
from orchestra.cli.complete.words import find_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def answer(arguments: Sequence[str]) -> int:
    """Print the completions for ``arguments``; return the exit code."""
    if len(arguments) < 2:
        return 0
    shell, *rest = arguments
    cut = 0
    if shell == "bash":
        line = split_line(rest[0], rest[1] if len(rest) > 1 else "")
        words, current, cut = line.words[1:], line.current, line.cut
    else:
        words, current = tuple(rest[:-1]), rest[-1]
    found = find_words(find_spot(words, current))
    if found.shell:
        print(f":{found.shell}")
    for word, meaning in found.meanings.items():
        print(f"{word[cut:]}\t{meaning}")
    sys.stdout.flush()
    return 0
