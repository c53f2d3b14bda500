"""``orchestra down``: stop and remove the stack, or a part of it, in reverse order; keep volumes by default."""

from __future__ import annotations

import sys

from orchestra.cli.progress import open_progress
from orchestra.cli.render.errors import render_failures
from orchestra.cli.warnings import warn_of_damage, warn_of_orphans
from orchestra.stacks.down import DownOptions, down, find_stack_for_down, images_to_remove, remove_images
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.context import Context


def run(invocation: Invocation) -> int:
    if invocation.values["driver"]:
        from orchestra.cli.elsewhere import take_down

        return take_down(invocation)
    return bring_down(invocation, invocation.options(DownOptions))


def bring_down(invocation: Invocation, options: DownOptions) -> int:
    """Return the exit code when all of it is gone, or cannot be removed."""
    context = invocation.context
    known, exists = find_stack_for_down(context, options)
    if not exists:
        print(f'warning: No resource found to remove for project "{known.stack}".', file=sys.stderr)
        return 0
    images = images_to_remove(context, known, options)
    with open_progress(invocation) as progress:
        result = down(context, known, options, progress.hear)
        left = remove_images(context, images, progress.hear) if images else {}
    warn_of_damage(result.damage)
    warn_of_orphans(invocation, result.orphans)
    for kept in result.kept:
        print(f"warning: {visible(kept)}: it was not removed", file=sys.stderr)
    for image, error in left.items():
        print(f"warning: image {visible(image)} was not removed: {visible(str(error))}", file=sys.stderr)
    if result.failures:
        print(render_failures(result.failures, invocation.colors(sys.stderr)), end="", file=sys.stderr)
        return 1
    if not options.services:
        _tell_of_unit(context, known.stack)
    return 0


def _tell_of_unit(context: Context, stack: str) -> None:
    from orchestra.stacks.boot.unit import is_enabled

    if is_enabled(stack, context.units):
        print(
            f"note: stack {stack} is enabled, and down: it is not started at boot until orchestra up has brought it "
            "up again; orchestra disable removes its unit",
            file=sys.stderr,
        )
