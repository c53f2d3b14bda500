"""Warns on standard error of problems of a stack that do not concern the command itself."""

from __future__ import annotations

import sys

from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.errors import Diagnostic
    from orchestra.model.edit import Edit
    from orchestra.stacks.containers import Seen
    from orchestra.stacks.context import Context


def warn_of_notes(invocation: Invocation, notes: Sequence[Diagnostic]) -> None:
    """Show the warnings of a load of the file."""
    if notes:
        from orchestra.cli.render.errors import render_notes

        print(render_notes(notes, invocation.colors(sys.stderr)), end="", file=sys.stderr)


def warn_of_damage(texts: Iterable[str]) -> None:
    """List files of the stack that cannot be read."""
    for text in texts:
        print(f"warning: {text}", file=sys.stderr)


def tell_what_there_is(invocation: Invocation, context: Context, seen: Seen) -> None:
    """Show warnings before anything is refused: they may explain it."""
    warn_of_damage(seen.damage)
    if not seen.exist:
        tell_of_root(invocation, context)


def warn_of_orphans(invocation: Invocation, names: Sequence[str]) -> None:
    if not names or invocation.shared.get("ignore_orphans"):
        return
    shown = ", ".join(map(visible, names))
    print(
        f"warning: Found orphan containers ({shown}) for this project. If you removed or renamed this "
        "service in your compose file, you can run this command with the --remove-orphans flag to clean it up.",
        file=sys.stderr,
    )


def warn_of_edit(edit: Edit | None) -> None:
    """Show why the last edit of files that are followed was not applied."""
    if edit is not None:
        print(f"warning: the last edit was not applied: {visible(edit.place + edit.error)}", file=sys.stderr)


def warn_of_paused_updates(paused: Mapping[str, str]) -> None:
    """Show why, by service, and what can be done."""
    for service, reason in paused.items():
        print(f"warning: the update of {visible(service)} is paused: {visible(reason)}", file=sys.stderr)
    if paused:
        print("  hint: run orchestra up to try again, or orchestra rollback to go back", file=sys.stderr)


def tell_of_root(invocation: Invocation, context: Context) -> None:
    """If nothing was found for a user, say how to see the stacks of root, if root has a home."""
    if context.hides_root:
        print(
            f"note: only stacks of user {context.user} are shown; "
            f"run sudo orchestra {invocation.command} to see root's",
            file=sys.stderr,
        )
