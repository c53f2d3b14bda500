"""What a unit runs after it has recovered its stack: it tells systemd how the stack is, until it is told to end.

It also starts a supervisor again if the fork server was killed along with it, which otherwise the next command does.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter

from orchestra.control.arrival import Arrival
from orchestra.home import is_rootless
from orchestra.linux.cgroup.joining import take_over
from orchestra.linux.readiness import first_readable
from orchestra.linux.systemd.manager import is_going_down
from orchestra.linux.systemd.notify import notify
from orchestra.model.health import HealthStatus
from orchestra.model.request import EventsRequest, HaltRequest
from orchestra.model.result import EventsResult, HaltResult
from orchestra.shim.launch import fork_server_of
from orchestra.stacks.boot.enable import wanted_files
from orchestra.stacks.containers import look_at_containers
from orchestra.stacks.mail import Failed, Mail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.stacks.containers import ContainerRow
    from orchestra.stacks.context import Context

GATHERING = 1.0
"""Seconds between two looks at the containers while they change."""
PATIENCE = 10
"""Seconds after which systemd is asked for more time to stop the stack; it is given three times as many."""


def stay(context: Context, stack: str) -> None:
    """Return when this process gets SIGTERM; if the machine goes down, the stack has been stopped by then.

    Raises what commands raise.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    mail: Mail[EventsResult] = Mail()
    mail.ask("events", lambda: _follow(context, stack, mail))
    told = ""
    while True:
        told = _tell(_status(context, stack), told, "READY=1")
        if reader in first_readable([reader, mail.fileno()]) or reader in first_readable([reader], GATHERING):
            break
        for letter in mail.read():
            if isinstance(letter, Failed):
                raise letter.error
    notify("STOPPING=1")
    if is_going_down(context.user) and wanted_files(context, stack) is not None:
        _halt(context, stack)


def _follow(context: Context, stack: str, mail: Mail[EventsResult]) -> EventsResult | None:
    """Tell of every change, and have a supervisor as long as the stack is wanted."""
    client, home = context.client(stack), context.home.stack(stack)
    while True:
        # The directory of the desired state: a connection to the control socket of a stack that goes down would
        # start another supervisor.
        with Arrival(home.data) as arrival:
            if wanted_files(context, stack) is None:
                arrival.wait()
                continue
        _take_over(fork_server_of(home))
        ended = client.ask(EventsResult, EventsRequest(), lambda event: mail.hear("events", event))
        mail.tell("events", ended)


def _halt(context: Context, stack: str) -> None:
    mail: Mail[HaltResult] = Mail()
    mail.ask("halt", lambda: context.client(stack).ask(HaltResult, HaltRequest()))
    while not first_readable([mail.fileno()], PATIENCE):
        notify(f"EXTEND_TIMEOUT_USEC={3 * PATIENCE * 1_000_000}", f"STATUS=stopping: {_status(context, stack)}")
    for letter in mail.read():
        if isinstance(letter, Failed):
            raise letter.error


def _take_over(fork_server: int | None) -> None:
    """Processes that began in a login session would end with it, or keep its scope in use.

    Without root they have gone to a scope of their own.
    """
    if fork_server is None or "NOTIFY_SOCKET" not in os.environ or is_rootless(os.environ):
        return
    try:
        take_over(fork_server)
    except OSError as error:
        print(f"the stack's processes stay in their control group: {error}", file=sys.stderr, flush=True)


def _tell(status: str, told: str, *more: str) -> str:
    if status != told:
        notify(f"STATUS={status}", *more)
    return status


def _status(context: Context, stack: str) -> str:
    rows = [row for row in look_at_containers(context, stack) if not row.one_off]
    return describe(rows) if rows else "down"


def describe(rows: Sequence[ContainerRow]) -> str:
    """One line for ``systemctl status``, with the names of those that are not well."""
    running = sum(row.runs for row in rows)
    parts = [f"{running} of {len(rows)} running"]
    health = Counter(row.health.status for row in rows if row.runs)
    if healthy := health[HealthStatus.HEALTHY]:
        parts.append(f"{healthy} healthy")
    for word, names in (
        ("unhealthy", [row.name for row in rows if row.runs and row.health.status is HealthStatus.UNHEALTHY]),
        ("starting", [row.name for row in rows if row.runs and row.health.status is HealthStatus.STARTING]),
        ("restarting", [row.name for row in rows if row.state == "restarting"]),
        ("not started", [row.name for row in rows if row.error]),
        ("exited", [f"{row.name} ({row.exit_code})" for row in rows if row.state == "exited" and row.exit_code]),
    ):
        if names:
            parts.append(f"{word}: {' '.join(names)}")
    return ", ".join(parts)
