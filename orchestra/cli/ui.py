"""``orchestra ui``: the dashboard in the terminal."""

from __future__ import annotations

import os
import sys

from orchestra.errors import ComposeError, EnvironmentLack, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.containers import Known
    from orchestra.stacks.context import Context


def run(invocation: Invocation) -> int:
    try:
        import textual  # noqa: F401 - whether it is there
    except ImportError as error:
        raise EnvironmentLack("the dashboard needs the package textual", hint="pip install 'orchestra[tui]'") from error
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UserError("the dashboard needs a terminal", hint="orchestra ps, stats and events write to anything")
    context = invocation.context
    context.need_privileges()  # before there are threads, which could not follow into the namespaces of a home
    own = _find_own(invocation, context)
    stacks = _choose(context, tuple(invocation.values["stacks"]), own, alone=_is_named(invocation))
    if not invocation.colors(sys.stdout):
        os.environ["NO_COLOR"] = "1"
    from orchestra.cli.browser import open_in_browser
    from orchestra.tui.app import Dashboard

    app = Dashboard(context, stacks, own, open_in_browser)
    app.run()
    return app.return_code or 0


def _is_named(invocation: Invocation) -> bool:
    """Whether the options mean a certain stack."""
    shared = invocation.shared
    return bool(shared["files"] or shared["project_name"] or shared["project_directory"])


def _find_own(invocation: Invocation, context: Context) -> Known | None:
    """The stack of the file here, or of the options. Raises the errors of a load for a file that they name."""
    from orchestra.stacks.containers import find_stack

    try:
        return find_stack(context)
    except ComposeError:
        if _is_named(invocation):
            raise
        return None


def _choose(context: Context, asked: Sequence[str], own: Known | None, *, alone: bool) -> tuple[str, ...]:
    """The stacks to show; empty for all. Raises UserError for one that does not exist."""
    from orchestra.stacks.ls import find_stacks
    from orchestra.stacks.permission import reading

    if not asked:
        return (own.stack,) if own and alone else ()
    with reading("stacks"):
        there = {*find_stacks(context.home), *([own.stack] if own else [])}
    for name in asked:
        if name not in there:
            from orchestra.nearest import suggest

            hint = suggest(name, there, "stacks") or "orchestra up makes one"
            raise UserError(f"no such stack: {name}", hint=hint)
    return tuple(asked)
