"""``orchestra stats``: show what the stack's containers use, repeatedly, in Docker's columns."""

from __future__ import annotations

import select
import sys
from functools import partial

from orchestra.cli.render.columns import output_width
from orchestra.cli.render.sizes import describe_binary_size, describe_size
from orchestra.cli.render.template import JSON, check_format, render_rows
from orchestra.cli.warnings import tell_what_there_is
from orchestra.model.names import short_id
from orchestra.stacks.stats import Meter, StatsOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.model.usage import Usage
    from orchestra.stacks.stats import StatsRow

HEADER = {
    "ID": "CONTAINER ID",
    "Name": "NAME",
    "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %",
    "NetIO": "NET I/O",
    "BlockIO": "BLOCK I/O",
    "PIDs": "PIDS",
}
EXPENDABLE = ("CONTAINER ID", "MEM %")
UNKNOWN = "--"
"""Docker's sign for values that cannot be measured."""
INTERVAL = 1.0
"""Seconds between two measurements."""
HOME, ERASE_LINE, ERASE_REST = "\033[H", "\033[K", "\033[J"


def run(invocation: Invocation) -> int:
    """Run until interrupted, or until nothing reads the output any more, or only once if requested."""
    context, values = invocation.context, invocation.values
    check_format(values["format"])
    meter = Meter(context, invocation.options(StatsOptions), partial(tell_what_there_is, invocation, context))
    once = values["no_stream"]
    redraws = not once and values["format"] != JSON and _moves_cursor(invocation)
    while True:
        _wait()
        text = render(meter.read(), values["format"], full=values["no_trunc"])
        sys.stdout.write(_redrawn(text) if redraws else text)
        sys.stdout.flush()
        if once:
            return 0


def render(rows: Sequence[StatsRow], format: str, *, full: bool) -> str:
    """full: whole ids."""
    width = None if full else output_width()
    return render_rows(format, HEADER, [_data(row, full=full) for row in rows], width=width, expendable=EXPENDABLE)


def _data(row: StatsRow, *, full: bool) -> dict[str, Any]:
    share = 100 * row.usage.memory / row.usage.memory_limit if row.usage.memory_limit else 0.0
    return {
        "BlockIO": _block_traffic(row.usage),
        "CPUPerc": f"{row.processor:.2f}%",
        "Container": short_id(row.id),
        "ID": row.id if full else short_id(row.id),
        "MemPerc": f"{share:.2f}%",
        "MemUsage": f"{describe_binary_size(row.usage.memory)} / {describe_binary_size(row.usage.memory_limit)}",
        "Name": row.name,
        "NetIO": f"{describe_size(row.usage.received)} / {describe_size(row.usage.sent)}",
        "PIDs": str(row.usage.processes),
    }


def _block_traffic(usage: Usage) -> str:
    if usage.read is None or usage.written is None:
        return UNKNOWN
    return f"{describe_size(usage.read)} / {describe_size(usage.written)}"


def _moves_cursor(invocation: Invocation) -> bool:
    ansi = invocation.shared["ansi"]
    return ansi == "always" or (ansi == "auto" and sys.stdout.isatty())


def _redrawn(text: str) -> str:
    """Overwrite the screen in place, so that it does not flicker."""
    return HOME + text.replace("\n", f"{ERASE_LINE}\n") + ERASE_REST


def _wait() -> None:
    """Wait for the next measurement. Raises BrokenPipeError once nothing reads standard output any more."""
    poll = select.poll()
    poll.register(sys.stdout, 0)  # errors and hang-ups are always reported, see poll(2)
    if any(events & (select.POLLERR | select.POLLHUP) for _fd, events in poll.poll(INTERVAL * 1000)):
        raise BrokenPipeError
