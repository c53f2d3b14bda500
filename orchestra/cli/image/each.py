"""One image after another: if one fails, the rest are still done."""

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
            show_error(invocation, error, reference)
            code = 1
    return code


def say_waiting() -> None:
    """An image that is being fetched must not be taken for an unused one."""
    print("Waiting for another command that is pulling or creating something.", file=sys.stderr)


def show_error(invocation: Invocation, error: OrchestraError | OSError, image: str) -> None:
    """With the image it is about, where the message leaves that out."""
    from orchestra.cli.render.errors import render_error

    if isinstance(error, OrchestraError) and image not in error.message:
        error = OrchestraError(f"image {image}: {error.message}", hint=error.hint)
    print(render_error(error, invocation.colors(sys.stderr)), end="", file=sys.stderr)
