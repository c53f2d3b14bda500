"""``orchestra up`` in the foreground: progress first, then the logs of the started containers."""

from __future__ import annotations

import contextlib
import signal
import sys

from orchestra.cli.progress import open_progress
from orchestra.cli.relay import Signals
from orchestra.cli.render.errors import render_failures
from orchestra.cli.render.log_lines import LogPrinter, short_name
from orchestra.cli.render.outlet import Outlet
from orchestra.cli.render.progress import Awaiting, Plain, Quiet
from orchestra.cli.up_result import conclude
from orchestra.model.event import ActionEvent, Phase
from orchestra.model.request import Until
from orchestra.stacks.attached import Attached, AttachOptions, Notice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.model.event import Event
    from orchestra.model.log import Happening
    from orchestra.model.result import ReportedFailure, UpResult
    from orchestra.stacks.up import Beginning, UpOptions

NOTICES = {
    Notice.ABORTING: "Aborting on container exit...",
    Notice.STOPPING: "Gracefully stopping... (press Ctrl+C again to force)",
    Notice.KILLING: "Killing...",
}


def run_attached(invocation: Invocation, beginning: Beginning, options: UpOptions) -> int:
    """Return the exit code: 130 after Ctrl-C; that of a container if an option asks for it; else 0 or 1."""
    with Signals(signal.SIGINT, signal.SIGTERM) as signals, contextlib.ExitStack() as stack:
        attached = Attached(beginning, options, read_options(invocation.values), signals)
        return attached.run(Screen(invocation, beginning, attached, signals, stack))


def read_options(values: dict[str, Any]) -> AttachOptions:
    if values["abort_on_container_exit"] or values["exit_code_from"]:
        until = Until.ANY_EXITED
    else:
        until = Until.ANY_FAILED if values["abort_on_container_failure"] else Until.ALL_EXITED
    return AttachOptions(
        attach=tuple(values["attach"]),
        no_attach=tuple(values["no_attach"]),
        attach_dependencies=values["attach_dependencies"],
        until=until,
        exit_code_from=values["exit_code_from"],
        timeout=values["timeout"],
    )


class Screen:
    """Shows a foreground ``up`` on the standard streams."""

    def __init__(
        self,
        invocation: Invocation,
        beginning: Beginning,
        attached: Attached,
        signals: Signals,
        stack: contextlib.ExitStack,
    ) -> None:
        self._invocation = invocation
        self._attached = attached
        self._selected = beginning.prepared.selected
        self._drawing = stack.enter_context(contextlib.ExitStack())
        self._progress = self._drawing.enter_context(open_progress(invocation))
        self._progress.services = self._selected
        self._later: Quiet | None = None
        self._started = False
        self._outlets = Outlet(sys.stdout.fileno(), signals), Outlet(sys.stderr.fileno(), signals)
        name, services = beginning.prepared.identity
        self._names = [short_name(name, spec["name"], spec["service"], spec["index"]) for spec in attached.specs]
        self._printer = LogPrinter(
            name,
            services,
            color=invocation.colors(sys.stdout) and not invocation.values["no_color"],
            prefix=not invocation.values["no_log_prefix"],
            timestamps=invocation.values["timestamps"],
            outputs=self._outlets,
        )
        self._printer.expect_names(*self._names)

    def hear(self, event: Event) -> bool:
        """Show logs from the first start on; live progress first waits until everything has been created."""
        is_start = isinstance(event, ActionEvent) and (
            event.verb == "start" and event.phase in (Phase.STARTED, Phase.DONE)
        )
        self._started = self._started or is_start
        if not (is_start and self._progress.redraws):
            self._progress.hear(event)
        return self._started and not (self._progress.redraws and self._progress.is_making)

    def attach(self) -> None:
        """Show logs from now on, in place of progress."""
        if self._progress.redraws:
            self._drawing.close()
            self._progress = Awaiting()
            self._progress.services = self._selected
            self._later = Plain()
        if self._names and self._attached.shows_logs and not self._attached.interrupted:
            print(f"Attaching to {', '.join(self._names)}", file=sys.stderr, flush=True)

    def show(self, happenings: Iterable[Happening]) -> None:
        self._printer.show(happenings)

    def settle(self, result: UpResult) -> None:
        self._progress.settle(result.containers)

    def conclude(self, result: UpResult) -> bool:
        return conclude(self._invocation, result) == 0

    def say(self, notice: Notice) -> None:
        if notice is not Notice.KILLING:
            self._progress = self._later or self._progress
        print(NOTICES[notice], file=sys.stderr, flush=True)

    def hurry(self) -> None:
        for outlet in self._outlets:
            outlet.hurries = True

    def stopped(self, failures: Sequence[ReportedFailure]) -> None:
        self._progress.conclude("Stopping", "Stopped")
        if failures:
            print(render_failures(failures, self._invocation.colors(sys.stderr)), end="", file=sys.stderr)
