"""Printing a sentence that names what others have named."""

from __future__ import annotations

from orchestra.visible import visible


def say(sentence: object, *, flush: bool = False) -> None:
    """One line on standard output, made ``visible``."""
    print(visible(str(sentence)), flush=flush)
