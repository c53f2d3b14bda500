"""``orchestra plan``: what ``up`` would do, and why. Exit code 0: nothing; 2: something."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestra.cli.asking import client_of, request_with_desired
from orchestra.cli.render.errors import render_notes
from orchestra.cli.stack_file import StackFile, parse_scale
from orchestra.plan.preview import preview, render_data, render_text
from orchestra.state.codec import decode
from orchestra.state.desired import Desired, Request
from orchestra.state.observed import Observed

if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.cli.stack_file import Prepared

CHANGES = 2


def run(invocation: Invocation) -> int:
    values = invocation.values
    if not values["offline"]:
        invocation.need_root()
    prepared = StackFile(invocation).prepare(
        values["services"], no_deps=values["no_deps"], scale=parse_scale(values["scale"])
    )
    if prepared.notes:
        print(render_notes(prepared.notes, invocation.colors(sys.stderr)), end="", file=sys.stderr)
    now = time.time()
    if values["offline"]:
        asked = decode(Desired, json.loads(prepared.desired))
        desired, observed = replace(asked, request=Request(at=now)), Observed(asked.stack)
    else:
        desired, observed = _observe(invocation, prepared)
    result = preview(desired, observed, now)
    if values["format"] == "json":
        print(json.dumps(render_data(result), indent=2))
    else:
        sys.stdout.write(render_text(result))
    return CHANGES if result.changes else 0


def _observe(invocation: Invocation, prepared: Prepared) -> tuple[Desired, Observed]:
    """What would be wanted, and what there is: as the supervisor sees it, or a driver of our own where none lives."""
    asked = request_with_desired("observe", prepared.desired, services=prepared.selected)
    stack = prepared.identity.stack
    answer = client_of(invocation, stack).ask_if_running(asked)
    if answer is not None:
        return decode(Desired, answer["desired"]), decode(Observed, answer["observed"])
    from orchestra.supervisor.look import look

    new = decode(Desired, json.loads(prepared.desired))
    return look(invocation.home, stack, invocation.driver, new, prepared.selected)
