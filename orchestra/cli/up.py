"""``orchestra up``: bring the world in line with the file, and show the progress."""

from __future__ import annotations

import sys
import time

from orchestra.cli.build_first import build_first
from orchestra.cli.changes import read_changes, read_chosen
from orchestra.cli.progress import open_progress
from orchestra.cli.up_result import conclude
from orchestra.cli.warnings import warn_of_notes
from orchestra.errors import UserError
from orchestra.stacks.up import UpOptions, begin_up, up, with_providers
from orchestra.traces.wanted import is_wanted
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.up import Beginning


def run(invocation: Invocation) -> int:
    values = invocation.values
    wait = values["wait"] or values["wait_timeout"] is not None
    attached = not (values["detach"] or wait or values["no_start"])
    _check(values, attached)
    _check_following(invocation, attached)
    options = UpOptions(
        read_chosen(values),
        read_changes(values),
        wait,
        values["wait_timeout"],
        values["follow"],
        not values["no_build"],
    )
    context = invocation.context
    if not is_wanted(context.environment):
        return _run(invocation, begin(invocation, options), options, attached=attached)
    from orchestra.traces.recording import Recording

    with Recording(context.environment, invocation.command, _tell_of_trace) as recording:
        beginning = recording.watch(begin(invocation, options))
        return _run(invocation, beginning, options, attached=attached)


def _run(invocation: Invocation, beginning: Beginning, options: UpOptions, *, attached: bool) -> int:
    if attached:
        from orchestra.cli.attached import run_attached

        return run_attached(invocation, beginning, options)
    return bring_up(invocation, beginning, options)


def _tell_of_trace(problem: str) -> None:
    print(f"warning: the trace was not sent: {visible(problem)}", file=sys.stderr, flush=True)


def begin(invocation: Invocation, options: UpOptions) -> Beginning:
    """Raises the errors of a load, and EnvironmentLack if this user may not create containers."""
    beginning = begin_up(invocation.context, options.chosen)
    warn_of_notes(invocation, beginning.prepared.notes)
    if beginning.prepared.reach is not None:
        from orchestra.cli.accept import check_accepted

        check_accepted(beginning, beginning.prepared.reach, yes=invocation.values.get("yes", False))
    began = time.time()
    try:
        if build_first(invocation, beginning.prepared):
            beginning = beginning.with_step("build", began)
    except BaseException:
        beginning.client.dismiss()
        raise
    return with_providers(beginning, lambda text: print(visible(text), file=sys.stderr, flush=True))


def bring_up(invocation: Invocation, beginning: Beginning, options: UpOptions) -> int:
    """Return the exit code when everything is as it should be, or cannot be."""
    with open_progress(invocation) as progress:
        progress.services = beginning.prepared.selected
        progress.waits = options.wait
        result = up(beginning, options, progress.hear)
        progress.settle(result.containers)
    return conclude(invocation, result)


def _check_following(invocation: Invocation, attached: bool) -> None:
    if not invocation.values["follow"]:
        return
    if attached or invocation.values["no_start"]:
        raise UserError("--follow needs -d or --wait: the stack is followed in the background")
    if "-" in invocation.shared["files"]:
        raise UserError("standard input cannot be followed", hint="write it to a file")


def _check(values: dict[str, Any], attached: bool) -> None:
    only_attached = ("abort_on_container_exit", "abort_on_container_failure", "exit_code_from", "attach", "no_attach")
    for name in (*only_attached, "watch"):
        if values[name] and not attached:
            raise UserError(
                f"--{name.replace('_', '-')} cannot be used with -d, --wait or --no-start, "
                "which do not attach to containers"
            )
