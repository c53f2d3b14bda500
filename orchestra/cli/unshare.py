"""``orchestra unshare``: run a command as root of the home's user namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.stacks.unshare import unshare

if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    unshare(invocation.context, invocation.values["command"])
