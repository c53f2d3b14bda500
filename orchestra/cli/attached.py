"""``orchestra up`` in the foreground: progress first, then the logs of the started containers."""

from __future__ import annotations

import contextlib
import signal
import sys

from orchestra.cli.browser import open_in_browser
from orchestra.cli.menu import Menu
from orchestra.cli.menu_line import Interruptions, MenuLine, has_room_for_menu
from orchestra.cli.progress import open_progress
from orchestra.cli.relay import Signals
from orchestra.cli.render.errors import render_error, render_failures
from orchestra.cli.render.log_lines import LogPrinter, short_name
from orchestra.cli.render.outlet import Outlet
from orchestra.cli.render.progress import Awaiting, Plain, Quiet
from orchestra.cli.up_result import conclude
from orchestra.errors import OrchestraError
from orchestra.model.event import ActionEvent, Phase
from orchestra.model.request import Until
from orchestra.stacks.attached import Attached, AttachOptions, Notice
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.cli.render.watch_lines import WatchLines
    from orchestra.model.event import Event
    from orchestra.model.log import Happening
    from orchestra.model.result import StopResult, UpResult
    from orchestra.stacks.up import Beginning, UpOptions
    from orchestra.stacks.watching.events import WatchEvent

NOTICES = {
    Notice.ABORTING: "Aborting on container exit...",
    Notice.STOPPING: "Gracefully stopping... (press Ctrl+C again to force)",
    Notice.KILLING: "Killing...",
}


def run_attached(invocation: Invocation, beginning: Beginning, options: UpOptions) -> int:
    """Return the exit code: 130 after Ctrl-C; that of a container if an option asks for it; else 0 or 1."""
    has_menu = has_room_for_menu(invocation)
    heard = (signal.SIGINT, signal.SIGTERM, *((signal.SIGWINCH, signal.SIGCONT) if has_menu else ()))
    with Signals(*heard) as signals, contextlib.ExitStack() as stack:
        interruptions = Interruptions(signals)
        outlets = Outlet(sys.stdout.fileno(), signals), Outlet(sys.stderr.fileno(), signals)
        line = None
        if has_menu:
            services = sorted(beginning.prepared.identity.services)
            color = invocation.colors(sys.stdout) and not invocation.values["no_color"]
            line = interruptions.line = MenuLine(Menu(services), outlets[0], color=color)
        attached = Attached(beginning, options, read_options(invocation.values), interruptions, line)
        return attached.run(Screen(invocation, beginning, attached, outlets, line, stack))


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
        watch=values["watch"],
    )


class Screen:
    """Shows a foreground ``up`` on the standard streams."""

    def __init__(
        self,
        invocation: Invocation,
        beginning: Beginning,
        attached: Attached,
        outlets: tuple[Outlet, Outlet],
        line: MenuLine | None,
        stack: contextlib.ExitStack,
    ) -> None:
        self._invocation = invocation
        self._line = line
        self._stack = stack
        self._attached = attached
        self._selected = beginning.prepared.selected
        self._drawing = stack.enter_context(contextlib.ExitStack())
        self._progress = self._drawing.enter_context(open_progress(invocation))
        self._progress.services = self._selected
        self._later: Quiet | None = None
        self._watch_lines: WatchLines | None = None
        self._started = False
        self._shown = {spec["service"] for spec in attached.specs}
        self._hooks: list[ActionEvent] = []
        self._outlets = outlets
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
            with self._aside():
                self._progress.hear(event)
        if isinstance(event, ActionEvent) and event.output and event.service in self._shown:
            self._hooks.append(event)
            self._show_hooks()
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
        self._show_hooks()
        if self._line is not None and not self._attached.interrupted:
            self._stack.enter_context(self._line).show()

    def _show_hooks(self) -> None:
        """Show what hooks have written; not while progress is redrawn."""
        if not self._progress.redraws:
            with self._aside():
                for event in self._hooks:
                    self._printer.write_hook(event.resource.name, event.service, event.output)
            self._hooks.clear()

    def show(self, happenings: Iterable[Happening]) -> None:
        happened = list(happenings)
        if happened:
            with self._aside():
                self._printer.show(happened)
        else:
            self._printer.flush()

    def settle(self, result: UpResult) -> None:
        with self._aside():
            self._progress.settle(result.containers)

    def conclude(self, result: UpResult) -> bool:
        with self._aside():
            return conclude(self._invocation, result) == 0

    def watch(self, event: WatchEvent) -> None:
        if self._watch_lines is None:
            from orchestra.cli.build_progress import open_build_progress
            from orchestra.cli.render.watch_lines import WatchLines

            # Logs are written meanwhile, so nothing may be redrawn.
            quiet = self._invocation.values["quiet_build"]
            self._watch_lines = self._stack.enter_context(
                WatchLines(lambda: open_build_progress(self._invocation, quiet=quiet, redraws=False))
            )
        with self._aside():
            self._watch_lines.show(event)

    def set_watching(self, watches: bool, error: Exception | None = None) -> None:
        if self._line is not None:
            self._line.set_watching(watches)
        with self._aside():
            if error is not None:
                self._report(error)
            if not watches:
                print("Watch disabled", file=sys.stderr, flush=True)

    def open(self, address: str) -> None:
        with self._aside():
            print(visible(open_in_browser(address)), file=sys.stderr, flush=True)

    def set_showing(self, service: str, shows: bool) -> None:
        with self._aside():
            print(f"Logs of {visible(service)} are {'shown' if shows else 'hidden'}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def _aside(self) -> Iterator[None]:
        with self._line.aside() if self._line is not None else contextlib.nullcontext():
            yield

    def _report(self, error: Exception) -> None:
        if not isinstance(error, (OrchestraError, OSError)):
            raise error
        print(render_error(error, self._invocation.colors(sys.stderr)), end="", file=sys.stderr, flush=True)

    def say(self, notice: Notice) -> None:
        if self._line is not None:
            self._line.close()
        if notice is not Notice.KILLING:
            self._progress = self._later or self._progress
        print(NOTICES[notice], file=sys.stderr, flush=True)

    def hurry(self) -> None:
        for outlet in self._outlets:
            outlet.hurries = True

    def stopped(self, result: StopResult) -> None:
        self._progress.conclude("Stopping", "Stopped", result.resting)
        if result.failures:
            print(render_failures(result.failures, self._invocation.colors(sys.stderr)), end="", file=sys.stderr)
