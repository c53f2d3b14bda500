"""Does one thing after another: if one fails, the rest are still done."""

from __future__ import annotations

import sys

from orchestra.errors import OrchestraError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orchestra.cli.invocation import Invocation


def for_each(invocation: Invocation, names: Iterable[str], work: Callable[[str], None], kind: str = "image") -> int:
    """Return the exit code: 1 if anything failed, which is shown on standard error. kind: the kind of the names."""
    code = 0
    for name in names:
        try:
            work(name)
        except BrokenPipeError:
            raise
        except (OrchestraError, OSError) as error:
            if invocation.shared["debug"]:
                raise
            sys.stdout.flush()  # keeps lines in order if both streams are one terminal
            show_error(invocation, error, name, kind)
            code = 1
    return code


def show_error(invocation: Invocation, error: OrchestraError | OSError, name: str, kind: str = "image") -> None:
    """Show the error, with the name if its message does not contain that."""
    from orchestra.cli.render.errors import render_error

    if isinstance(error, OrchestraError) and name not in error.message:
        error = OrchestraError(f"{kind} {name}: {error.message}", hint=error.hint)
    print(render_error(error, invocation.colors(sys.stderr)), end="", file=sys.stderr)
