"""``orchestra logs``: show the output of containers."""

from __future__ import annotations

import sys
import time
from functools import partial

from orchestra.cli.moments import parse_moment
from orchestra.cli.render.log_lines import LogPrinter
from orchestra.cli.warnings import tell_what_there_is
from orchestra.errors import UserError
from orchestra.model.observed import Created
from orchestra.stacks.logs import Logs, Selection
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    values = invocation.values
    selection = read_selection(values, time.time())
    if values["driver"]:
        from orchestra.cli.elsewhere import show_logs

        return show_logs(invocation, selection)
    context = invocation.context
    logs = Logs(context, selection, partial(tell_what_there_is, invocation, context))
    for service in logs.without_log():
        print(f"warning: service {visible(service)} has the log driver none: no log is kept of it", file=sys.stderr)
    printer = LogPrinter(
        logs.stack,
        logs.declared or sorted({container.service for container in logs.containers}),
        color=invocation.colors(sys.stdout) and not values["no_color"],
        prefix=not values["no_log_prefix"],
        timestamps=values["timestamps"],
    )
    printer.expect(*(container for container in logs.chosen if not isinstance(container.status, Created)))
    if values["follow"]:
        for happenings in logs.follow():
            printer.show(happenings)
    else:
        printer.show(logs.read())
    return 0


def read_selection(values: dict[str, Any], now: float) -> Selection:
    """Raises UserError."""
    services, index, tail = values["services"], values["replica"], values["tail"]
    if index is not None and len(services) != 1:
        raise UserError("--index needs exactly one service", hint="for example logs --index 2 web")
    if tail != "all" and not tail.removeprefix("-").isdecimal():
        raise UserError(f"--tail {tail}: expected a number of lines, or all")
    count = None if tail == "all" or int(tail) < 0 else int(tail)
    since, until = (
        parse_moment(f"--{name}", values[name], now) if values[name] is not None else b"" for name in ("since", "until")
    )
    return Selection(tuple(services), index, count, since, until)
