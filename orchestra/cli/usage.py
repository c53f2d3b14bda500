"""Reports mistakes in a command line, in the same form as every other error."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from orchestra.cli import table
from orchestra.cli.parse import command_word
from orchestra.cli.table import find_command
from orchestra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typer._click.exceptions import UsageError as TyperUsageError

USAGE = 16
"""Exit code of an invalid command line, as in earlier Docker Compose; 2 is used by ``plan``."""

NOT_YET = frozenset({"bridge"})
"""Commands of Docker Compose that do not exist here yet."""


class UsageError(UserError):
    """The command line is invalid."""

    exit_code = USAGE


def explain_usage(argv: Sequence[str], found: TyperUsageError) -> UsageError:
    """The error that Typer found, or a better one if more is known."""
    word = command_word(argv)
    if word is not None and find_command(word) is None and word not in table.GROUPS:
        return no_such_command(word)
    message = found.format_message().rstrip(".")
    path = found.ctx.command_path if found.ctx else "orchestra"
    hint = _point_forward(argv) or f"run {path} --help for usage"
    return UsageError(message[:1].lower() + message[1:], hint=hint)


def no_such_command(name: str) -> UsageError:
    """name: the words of a command that is not in the table."""
    if name in NOT_YET:
        message = f"docker compose's command {name} is not available yet"
        return UsageError(message, hint="run orchestra --help to list the available commands")
    names = [command.name for command in table.COMMANDS]
    near = get_close_matches(name, [*names, *table.GROUPS], n=1)
    hint = f"did you mean {near[0]}?" if near else "run orchestra --help to list the commands"
    return UsageError(f"no such command: {name}", hint=hint)


def _point_forward(argv: Sequence[str]) -> str:
    """For a global option in the wrong place, a hint where to put it; else empty."""
    words = list(argv)
    first = next((position for position, word in enumerate(words) if find_command(word)), len(words))
    command = find_command(words[first]) if first < len(words) else None
    own = {flag for option in command.options for flag in option.flags} if command else set()
    shared = {flag for option in table.GLOBAL for flag in option.flags} - own
    for word in words[first:]:
        if (flag := word.partition("=")[0]) in shared:
            if flag in ("-H", "--host") and "--manager" in own:
                return "--host is the machine that runs the command; name a manager of a swarm with --manager"
            return f"put {flag} before the command: orchestra {flag} … {words[first]}"
    return ""
