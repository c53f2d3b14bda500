"""``recover``: bring a stack back as it was when the machine went down. The Compose file is not read."""

from __future__ import annotations

import os
import time

from orchestra.model.request import SettleRequest
from orchestra.model.result import SettleResult
from orchestra.record import Record
from orchestra.stacks.boot.enable import wanted_files
from orchestra.stacks.containers import find_stack, look_at_containers
from orchestra.stacks.standalone_network import revive_networks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.model.event import Event
    from orchestra.model.result import ReportedFailure
    from orchestra.stacks.context import Context


PATIENCE = 90.0
"""Seconds after which a boot goes on; the supervisor does so too."""


class Recovered(Record):
    """wanted: false for a stack that was down, which stays down. failures: containers that cannot run, and why.
    unproven: those that were still not up in time. resting: those that were running, and whose restart policy does not
    start them again. missing: Compose files that are gone.
    """

    stack: str
    wanted: bool
    failures: tuple[ReportedFailure, ...] = ()
    unproven: tuple[str, ...] = ()
    resting: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def name_stack(context: Context) -> str:
    """Raises the errors of a load where no name is given."""
    context.need_privileges()
    return context.project.name or find_stack(context).stack


def recover(context: Context, stack: str, hear: Callable[[Event], None] | None = None) -> Recovered:
    """Return when everything that was wanted is running and healthy, or cannot be, or after PATIENCE.

    Raises UserError for a network made by hand
    that cannot be made again.
    """
    files, client = wanted_files(context, stack), context.client(stack)
    if files is None:
        if os.path.exists(context.home.stack(stack).desired):
            client.summon()  # the machine went down before the stack was: a supervisor ends that
            client.dismiss()
        return Recovered(stack, wanted=False)
    with open(context.home.stack(stack).desired, "rb") as file:
        revive_networks(context, file.read())
    request = SettleRequest(wait=True, wait_timeout=PATIENCE, since=time.time())
    result = client.ask(SettleResult, request, hear)
    missing = tuple(path for path in files if os.path.isabs(path) and not os.path.exists(path))
    rows = look_at_containers(context, stack)
    resting = tuple(row.name for row in rows if row.state == "exited" and row.exit_code is None and not row.one_off)
    return Recovered(stack, True, result.failures, result.unproven, resting, missing)
