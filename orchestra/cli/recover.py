"""``orchestra recover``: bring the stack back as it was before a reboot."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from orchestra.cli.progress import open_progress
from orchestra.cli.render.errors import render_failures
from orchestra.stacks.boot.recover import name_stack, recover
from orchestra.visible import visible

if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context = invocation.context
    stack = name_stack(context)
    with open_progress(invocation) as progress:
        done = recover(context, stack, progress.hear)
    if not done.wanted:
        print(f"stack {stack} was down, and stays down", file=sys.stderr)
    for path in done.missing:
        print(
            f"warning: {visible(path)} is gone: the stack is as it was; where the file is now, run orchestra up -d "
            "and orchestra enable",
            file=sys.stderr,
        )
    if done.failures:
        print(render_failures(done.failures, invocation.colors(sys.stderr)), end="", file=sys.stderr)
    if done.resting:
        names = visible(", ".join(done.resting))
        print(
            f"note: not running again, since restart does not say so: {names}; orchestra up -d starts it",
            file=sys.stderr,
        )
    if done.unproven:
        print(f"warning: not up yet: {visible(', '.join(done.unproven))}", file=sys.stderr)
    if invocation.values["stay"]:
        from orchestra.stacks.boot.stay import stay

        sys.stderr.flush()
        stay(context, stack)
        return 0
    return 1 if done.failures or done.unproven else 0
