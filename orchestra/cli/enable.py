"""``orchestra enable``: have systemd bring the stack back at boot."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from orchestra.stacks.boot.enable import check_enable, enable, wanted_files

if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context = invocation.context
    unit, now = check_enable(context), invocation.values["now"]
    if now and wanted_files(context, unit.stack) is None and (code := _bring_up(invocation)):
        return code
    done = enable(context, now=now)
    print(f"{done.unit} is {'started and ' if now else ''}enabled: {done.path}")
    if not done.wanted:
        note = f"note: stack {done.stack} is down: what is up when the machine goes down comes back"
        print(f"{note}; orchestra up -d brings it up", file=sys.stderr)
    elif not now:
        note = "it watches the stack from the next boot on"
        print(f"note: {note}; systemctl start {done.unit} does so now", file=sys.stderr)
    return 0


def _bring_up(invocation: Invocation) -> int:
    from orchestra.cli.parse import parse
    from orchestra.cli.up import run as run_up
    from orchestra.record import replace

    up = parse(["up", "--detach"])
    assert up is not None
    return run_up(replace(up, shared=invocation.shared))
