"""The options that ``exec`` and ``run`` share: terminal and environment of a program."""

from __future__ import annotations

import sys

from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def read_variable(entry: str, environment: Mapping[str, str]) -> tuple[str, str | None]:
    """``NAME=VALUE``; a name alone takes its value from the environment, if it has one."""
    name, equals, value = entry.partition("=")
    if not name:
        raise UserError(f"--env {entry}: expected NAME=VALUE")
    return name, value if equals else environment.get(name)


def wants_terminal(values: dict[str, Any]) -> bool:
    """A terminal where both ends are one: a file or a pipe is not to be filled with carriage returns."""
    if values["no_tty"] or values["detach"] or not sys.stdin or not sys.stdin.isatty():
        return False
    return bool(values["tty"]) or sys.stdout.isatty()
