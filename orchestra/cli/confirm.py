"""Asks before data is lost. Standard library only."""

from __future__ import annotations

import sys

from orchestra.errors import UserError
from orchestra.visible import visible


def need_terminal(option: str = "--force") -> None:
    """Raise UserError if there is no terminal to answer."""
    if not sys.stdin.isatty():
        raise UserError(
            "cannot ask for confirmation: standard input is not a terminal", hint=f"use {option} to skip the question"
        )


def is_sure(warning: str) -> bool:
    """Show what will happen, and ask for confirmation."""
    print(visible(warning, lines=True))
    print("Are you sure you want to continue? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
