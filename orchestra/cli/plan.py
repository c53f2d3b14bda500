"""``orchestra plan``: what ``up`` would do, and why. Exit code 0: nothing; 1: something would fail; 2: something."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from orchestra.cli.asking import client_of, request_with_desired
from orchestra.cli.looking import warn_of_damage
from orchestra.cli.render.errors import render_notes
from orchestra.cli.stack_file import StackFile, parse_scale
from orchestra.cli.up_exchange import check_wish, encode_wish
from orchestra.control.wishes import read_wish
from orchestra.model.codec import decode
from orchestra.model.desired import Desired
from orchestra.model.observed import Observed
from orchestra.plan import replacement
from orchestra.plan.preview import preview, render_data, render_text
from orchestra.plan.replacement import Outlook
from orchestra.plan.wish import desire
from orchestra.visible import visible

if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.cli.stack_file import Prepared

CHANGES = 2


def run(invocation: Invocation) -> int:
    values = invocation.values
    check_wish(values)
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
        wish = read_wish(encode_wish(values, prepared))
        outlook = Outlook(None, desire(None, asked, wish, now), Observed(asked.stack))
    else:
        outlook = _observe(invocation, prepared)
    result = preview(outlook.desired, outlook.observed, now)
    replaced, orphaned = replacement.replacements(result, outlook), replacement.left_alone(outlook)
    if values["format"] == "json":
        print(json.dumps({**render_data(result), **replacement.render_data(replaced, orphaned)}, indent=2))
    else:
        sys.stdout.write(visible(render_text(result) + replacement.render_text(replaced, orphaned), lines=True))
    if result.failed:
        return 1
    return CHANGES if result.changes else 0


def _observe(invocation: Invocation, prepared: Prepared) -> Outlook:
    """As the supervisor sees it, or a driver of our own where none lives."""
    options = encode_wish(invocation.values, prepared)
    asked = request_with_desired("observe", prepared.desired, **options)
    stack = prepared.identity.stack
    answer = client_of(invocation, stack).ask_if_running(asked)
    if answer is not None:
        warn_of_damage(answer["damage"])
        current = decode(Desired, answer["current"]) if "current" in answer else None
        return Outlook(current, decode(Desired, answer["desired"]), decode(Observed, answer["observed"]))
    from orchestra.control.look import look

    new = decode(Desired, json.loads(prepared.desired))
    outlook, damage = look(invocation.home, stack, invocation.driver, new, read_wish(options))
    warn_of_damage(damage)
    return outlook
