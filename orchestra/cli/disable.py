"""``orchestra disable``: do not bring the stack back at boot; leave it as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.stacks.boot.enable import choose_units, disable
from orchestra.stacks.boot.unit import unit_name

if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context = invocation.context
    stack = disable(context, choose_units(context, of_user=invocation.values["user"]))
    print("the stack is not enabled" if stack is None else f"{unit_name(stack)} is removed; the stack stays as it is")
    return 0
