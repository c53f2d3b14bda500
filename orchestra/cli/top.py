"""``orchestra top``: the processes of the stack's containers, as Docker Compose and ``ps -ef`` show them."""

from __future__ import annotations

import sys
import time
from functools import partial

from orchestra.cli.render.columns import output_width, render_columns
from orchestra.cli.warnings import tell_what_there_is
from orchestra.stacks.top import top
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.linux.process_table import ProcessRow
    from orchestra.stacks.top import ContainerProcesses

HEADER = ("SERVICE", "#", "UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")
GAP, NARROWEST = 2, 4
"""Width of a column in Docker Compose's table of processes."""
EXPENDABLE = ("C", "TTY", "PPID", "STIME", "TIME")
"""Columns to leave out on a narrow terminal, the first one first."""
DAY = 86400


def run(invocation: Invocation) -> int:
    context = invocation.context
    found = top(context, invocation.values["services"], partial(tell_what_there_is, invocation, context))
    sys.stdout.write(render(found, time.time(), output_width()))
    return 0


def render(containers: Sequence[ContainerProcesses], now: float, width: int | None = None) -> str:
    """now: Unix time. width: of the terminal, in columns. Empty, without a header, if there are no processes."""
    users: dict[int, str] = {}
    rows = [
        (container.service, str(container.index), *_cells(process, now, users))
        for container in containers
        for process in container.processes
    ]
    if not rows:
        return ""
    table = [[visible(cell) for cell in row] for row in (HEADER, *rows)]
    widths = [max(NARROWEST, *(len(row[column]) + GAP for row in table)) for column in range(len(HEADER) - 1)]
    if width is not None and any(sum(widths) + len(row[-1]) > width for row in table):
        return render_columns(HEADER, rows, width=width, expendable=EXPENDABLE)
    return "".join(
        "".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)) + "\n" for row in table
    )


def _cells(process: ProcessRow, now: float, users: dict[int, str]) -> tuple[str, ...]:
    """users: names that have already been looked up."""
    if process.uid not in users:
        users[process.uid] = _user_name(process.uid)
    elapsed = now - process.started_at
    share = min(99, int(100 * process.processor / elapsed)) if elapsed > 0 else 0
    return (
        users[process.uid],
        str(process.pid),
        str(process.parent),
        str(share),
        _moment(process.started_at, now),
        process.terminal or "?",
        _clock(process.processor),
        process.command,
    )


def _user_name(uid: int) -> str:
    """The user's name on this machine, as ps(1) shows it for the processes of containers."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _moment(started_at: float, now: float) -> str:
    """``12:05`` for today, ``Nov29`` for this year, else ``2025``."""
    then, today = time.localtime(started_at), time.localtime(now)
    if then.tm_year != today.tm_year:
        return time.strftime("%Y", then)
    return time.strftime("%H:%M" if then.tm_yday == today.tm_yday else "%b%d", then)


def _clock(seconds: float) -> str:
    """``00:01:02``, ``3-00:01:02``."""
    days, rest = divmod(int(seconds), DAY)
    return f"{f'{days}-' if days else ''}{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
