"""``stop``, ``start``, ``restart``, ``kill``, ``pause``, ``unpause``, ``wait``: change how containers run."""

from __future__ import annotations

import sys

from orchestra.cli.progress import open_progress
from orchestra.cli.up_result import conclude_failures, conclude_start
from orchestra.stacks.life_cycle import (
    KillOptions,
    RestartOptions,
    StartOptions,
    StopOptions,
    WaitOptions,
    kill,
    pause,
    restart,
    start,
    stop,
    unpause,
    wait,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    run_command = {
        **{"stop": _stop, "start": _start, "restart": _restart, "kill": _kill, "wait": _wait},
        **{"pause": _pause, "unpause": _unpause},
    }
    return run_command[invocation.command](invocation)


def stop_and_show(invocation: Invocation, options: StopOptions) -> int:
    """Return the exit code when all containers have stopped, or cannot be stopped."""
    with open_progress(invocation) as progress:
        result = stop(invocation.context, options, progress.hear)
        progress.conclude("Stopping", "Stopped", result.resting)
    return conclude_failures(invocation, result.failures)


def _stop(invocation: Invocation) -> int:
    return stop_and_show(invocation, invocation.options(StopOptions))


def _start(invocation: Invocation) -> int:
    values = invocation.values
    waits = values["wait"] or values["wait_timeout"] is not None
    options = StartOptions(tuple(values["services"]), waits, values["wait_timeout"])
    with open_progress(invocation) as progress:
        progress.waits = waits
        result = start(invocation.context, options, progress.hear)
        progress.settle(result.containers)
    return conclude_start(invocation, result)


def _restart(invocation: Invocation) -> int:
    with open_progress(invocation) as progress:
        progress.restarts = True
        result = restart(invocation.context, invocation.options(RestartOptions), progress.hear)
        progress.settle(result.containers)
    return conclude_start(invocation, result)


def _kill(invocation: Invocation) -> int:
    result = kill(invocation.context, invocation.options(KillOptions))
    if not result.killed:
        print("no container to kill", file=sys.stderr)
    return _tell(invocation, result.killed, "Killed")


def _pause(invocation: Invocation) -> int:
    return _tell(invocation, pause(invocation.context, invocation.values["services"]).changed, "Paused")


def _unpause(invocation: Invocation) -> int:
    return _tell(invocation, unpause(invocation.context, invocation.values["services"]).changed, "Unpaused")


def _tell(invocation: Invocation, containers: Sequence[str], what: str) -> int:
    with open_progress(invocation) as progress:
        for name in containers:
            progress.tell(name, what)
    return 0


def _wait(invocation: Invocation) -> int:
    """Return the exit code of the container that ended last; with ``--down-project``, of the first."""
    down_project = invocation.values["down_project"]
    exits = wait(invocation.context, WaitOptions(tuple(invocation.values["services"]), first=down_project))
    for each in exits:
        code = "unknown" if each.exit_code is None else each.exit_code
        print(f'container "{each.id}" exited with status code {code}')
    if down_project:
        from orchestra.cli.down import bring_down
        from orchestra.stacks.down import DownOptions

        bring_down(invocation, DownOptions())
    last = exits[-1].exit_code
    return 1 if last is None else last
