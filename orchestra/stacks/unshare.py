"""``unshare``: run a program in the namespaces of a home without root, to look at the files of its containers."""

from __future__ import annotations

import os

from orchestra.errors import EnvironmentLack, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from orchestra.stacks.context import Context


def unshare(context: Context, command: Sequence[str]) -> NoReturn:
    """Become that program; without one, the user's shell. The namespaces last at least as long as it does.

    Raises UserError for root and for a program that does not exist, and EnvironmentLack if this user cannot.
    """
    if context.user == 0:
        hint = "run the program as it is; unshare is for homes of other users"
        raise UserError("root's home has no namespaces of its own", hint=hint)
    words = list(command) or [os.environ.get("SHELL") or "/bin/sh"]
    context.need_privileges()
    from orchestra.rootless.entry import hold_over_exec

    hold_over_exec()
    try:
        os.execvp(words[0], words)
    except FileNotFoundError:
        raise UserError(f"{words[0]}: there is no such program", hint="give a program in PATH, or its path") from None
    except OSError as error:
        hint = "programs and directories must be readable by this user"
        raise EnvironmentLack(f"{words[0]} cannot be run: {error.strerror}", hint=hint) from error
