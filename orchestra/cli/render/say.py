"""Prints a sentence that contains names chosen by others."""

from __future__ import annotations

from orchestra.visible import visible


def say(sentence: object, *, flush: bool = False) -> None:
    """Print one line on standard output, made ``visible``."""
    print(visible(str(sentence)), flush=flush)
