"""``orchestra exec``: run another program in a running container, on a terminal or on pipes. Standard library only."""

from __future__ import annotations

import os
import select
import sys
from functools import partial

from orchestra.cli.program_options import wants_terminal
from orchestra.cli.relay import Signals
from orchestra.cli.streams import ENDING, run_on_pipes, run_on_terminal
from orchestra.cli.warnings import warn_of_damage
from orchestra.linux import tty
from orchestra.stacks.exec import ExecOptions, find_target
from orchestra.stacks.variable import read_variables
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from _typeshed import HasFileno

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.exec import Execution, Target


def run(invocation: Invocation) -> int:
    values, context = invocation.values, invocation.context
    terminal = wants_terminal(values)
    options = read_options(values, context.given_variables, terminal=terminal)
    if values["driver"]:
        from orchestra.cli.exec_elsewhere import run_elsewhere

        return run_elsewhere(invocation, options)
    target = find_target(context, options, lambda seen: warn_of_damage(seen.damage))
    if values["detach"]:
        return _run_detached(target)
    execute = partial(_execute, target)
    return run_on_terminal(execute) if terminal else run_on_pipes(execute, target.owner)


def read_options(values: dict[str, Any], environment: Mapping[str, str], *, terminal: bool) -> ExecOptions:
    size = tty.get_size(0) if terminal else None
    return ExecOptions(
        service=values["service"],
        command=tuple(values["command"]),
        replica=values["replica"],
        user=values["user"],
        environment=read_variables("--env", values["env"], environment),
        working_directory=values["workdir"] or "",
        privileged=values["privileged"],
        terminal=terminal,
        console_size=None if size is None or 0 in size else (size.rows, size.columns),
    )


def _execute(target: Target, stdio: Sequence[int], signals: Signals, *, tied: bool = True) -> Execution:
    """Raises SystemExit if a signal comes before the program runs: a process in the container may prevent that."""
    execution = target.execute(stdio, partial(_await, signals), tied=tied)
    for warning in execution.warnings:
        print(f"warning: {visible(str(warning))}", file=sys.stderr)
    return execution


def _await(signals: Signals, entering: HasFileno) -> None:
    poll = select.poll()
    poll.register(entering, select.POLLIN)
    poll.register(signals, select.POLLIN)
    while not any(fd == entering.fileno() for fd, _events in poll.poll()):
        for number in signals.read():
            if number in ENDING:
                raise SystemExit(128 + number)


def _run_detached(target: Target) -> int:
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    with Signals(*ENDING) as signals:
        _execute(target, (null, null, null), signals, tied=False).close()
    return 0
