"""``orchestra enable``: have systemd bring the stack back at boot."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from orchestra.linux.systemd.lingering import remedy
from orchestra.stacks.boot.enable import check_enable, choose_units, enable, systemctl, wanted_files

if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context = invocation.context
    units = choose_units(context, of_user=invocation.values["user"])
    unit, now = check_enable(context, units), invocation.values["now"]
    if now and wanted_files(context, unit.stack) is None and (code := _bring_up(invocation)):
        return code
    done = enable(context, units, now=now)
    print(f"{done.unit} is {'started and ' if now else ''}enabled: {done.path}")
    if not done.wanted:
        came = "what is up when the machine goes down comes back"
        _note(f"stack {done.stack} is down: {came}; orchestra up -d brings it up")
    elif not now:
        _note(f"it watches the stack from the next boot on; {systemctl(units)} start {done.unit} does so now")
    if not done.lingers:
        _note(f"it starts with your first session and ends with the last; at boot after: {remedy(units.user)}")
    return 0


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


def _bring_up(invocation: Invocation) -> int:
    from orchestra.cli.parse import parse
    from orchestra.cli.up import run as run_up
    from orchestra.record import replace

    up = parse(["up", "--detach"])
    assert up is not None
    return run_up(replace(up, shared=invocation.shared))
