"""One thing after another, where a failure of one keeps nobody from the next."""

from __future__ import annotations

import sys

from orchestra.errors import OrchestraError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orchestra.cli.invocation import Invocation


def for_each(invocation: Invocation, references: Iterable[str], work: Callable[[str], None]) -> int:
    """The exit code: 1 when something failed, which is shown on standard error."""
    code = 0
    for reference in references:
        try:
            work(reference)
        except BrokenPipeError:
            raise
        except (OrchestraError, OSError) as error:
            if invocation.shared["debug"]:
                raise
            sys.stdout.flush()  # where both are one terminal, lines stay in order
            show_error(invocation, error)
            code = 1
    return code


def show_error(invocation: Invocation, error: OrchestraError | OSError) -> None:
    from orchestra.cli.render.errors import render_error

    print(render_error(error, invocation.colors(sys.stderr)), end="", file=sys.stderr)
