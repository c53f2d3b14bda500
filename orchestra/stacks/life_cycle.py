"""``stop``, ``start``, ``restart``, ``kill``, ``pause``, ``wait``: change how containers run, not their definitions.

A stack without anything is left alone: no supervisor is started for it.
"""

from __future__ import annotations

import time

from orchestra.errors import UserError
from orchestra.model.request import KillRequest, PauseRequest, RestartRequest, StartRequest, StopRequest, WaitRequest
from orchestra.model.result import Exit, KillResult, PauseResult, StartResult, StopResult, WaitResult
from orchestra.record import Record
from orchestra.stacks.containers import check_known, exists, find_stack, look_at_containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.model.event import Event
    from orchestra.stacks.containers import Known
    from orchestra.stacks.context import Context

    Hear = Callable[[Event], None]


class StopOptions(Record):
    """services: empty for all. timeout: seconds until containers are killed; None for each one's grace period."""

    services: tuple[str, ...] = ()
    timeout: float | None = None


class StartOptions(Record):
    """services: empty for all. wait: until services are running or healthy, for at most ``wait_timeout`` seconds."""

    services: tuple[str, ...] = ()
    wait: bool = False
    wait_timeout: float | None = None


class RestartOptions(Record):
    """services: empty for all. no_deps: leave out dependents with ``restart: true``."""

    services: tuple[str, ...] = ()
    timeout: float | None = None
    no_deps: bool = False


class KillOptions(Record):
    """services: empty for all. signal: a name or a number, signal(7)."""

    services: tuple[str, ...] = ()
    signal: str = "SIGKILL"
    remove_orphans: bool = False


class WaitOptions(Record):
    """first: wait for the first container to end, not for all."""

    services: tuple[str, ...] = ()
    first: bool = False


def find_stack_to_change(context: Context, command: str, services: Sequence[str]) -> tuple[Known, bool]:
    """The stack, and whether anything of it may exist.

    Raises the errors of a load, UserError for an undeclared service, and EnvironmentLack without permission.
    """
    context.need_privileges()
    known = find_stack(context)
    existing = (row.service for row in look_at_containers(context, known.stack)) if known.services is None else ()
    check_known(services, known.services, existing)
    return known, exists(context, known.stack)


def stop(context: Context, options: StopOptions, hear: Hear | None = None) -> StopResult:
    """Return when all have stopped, or cannot be stopped. They stay stopped until a command starts them again."""
    known, is_there = find_stack_to_change(context, "stop", options.services)
    if not is_there:
        return StopResult()
    return context.client(known.stack).ask(StopResult, StopRequest(options.services, options.timeout), hear)


def start(context: Context, options: StartOptions, hear: Hear | None = None) -> StartResult:
    """Start existing containers, and their dependencies. Raises UserError if there are none."""
    known, is_there = find_stack_to_change(context, "start", options.services)
    if not is_there:
        from orchestra.plan.selection import nothing_to_start

        raise nothing_to_start(f'service "{options.services[0]}"' if options.services else f'stack "{known.stack}"')
    request = StartRequest(options.services, options.wait, options.wait_timeout)
    return context.client(known.stack).ask(StartResult, request, hear)


def restart(context: Context, options: RestartOptions, hear: Hear | None = None) -> StartResult:
    """Return when all are running again, or cannot run. Changes of the file are not applied."""
    known, is_there = find_stack_to_change(context, "restart", options.services)
    if not is_there:
        return StartResult()
    request = RestartRequest(options.services, options.timeout, options.no_deps, asked_at=time.time())
    return context.client(known.stack).ask(StartResult, request, hear)


def kill(context: Context, options: KillOptions) -> KillResult:
    """Send a signal to the first process of each container. Raises UserError for a signal that does not exist."""
    known, is_there = find_stack_to_change(context, "kill", options.services)
    signal = signal_of(options)
    if not is_there:
        return KillResult()
    request = KillRequest(signal, options.services, options.remove_orphans)
    return context.client(known.stack).ask(KillResult, request)


def signal_of(options: KillOptions) -> int:
    """Its number. Raises UserError for a signal that does not exist."""
    from orchestra.linux.process import parse_signal

    try:
        return parse_signal(options.signal)
    except ValueError as error:
        raise UserError(str(error), hint="use a name or a number, such as SIGTERM or 15") from None


def pause(context: Context, services: Sequence[str]) -> PauseResult:
    """Suspend all processes of running containers. services: empty for all."""
    return _pause(context, "pause", PauseRequest(tuple(services), paused=True))


def unpause(context: Context, services: Sequence[str]) -> PauseResult:
    """Resume paused containers. services: empty for all."""
    return _pause(context, "unpause", PauseRequest(tuple(services), paused=False))


def _pause(context: Context, command: str, request: PauseRequest) -> PauseResult:
    known, is_there = find_stack_to_change(context, command, request.services)
    return context.client(known.stack).ask(PauseResult, request) if is_there else PauseResult()


def wait(context: Context, options: WaitOptions) -> tuple[Exit, ...]:
    """How the runs ended, in that order. Raises UserError if nothing is running."""
    known, is_there = find_stack_to_change(context, "wait", options.services)
    request = WaitRequest(options.services, options.first)
    exits = context.client(known.stack).ask(WaitResult, request).exits if is_there else ()
    if not exits:
        what = f"services {', '.join(options.services)}" if options.services else f"stack {known.stack}"
        raise UserError(f"no running containers of {what}", hint="run orchestra ps -a to list the containers")
    return exits
