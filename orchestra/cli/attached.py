"""``orchestra up`` in the foreground: the logs of what it starts, until all of it has ended or Ctrl-C stops it.

One loop shows everything. Requests to the supervisor are made by threads, which do nothing but wait for answers: each
letter they bring back is handled by the loop.
"""

from __future__ import annotations

import contextlib
import json
import select
import signal
import sys

from orchestra.cli.asking import client_of, request
from orchestra.cli.mail import Mail
from orchestra.cli.relay import Signals
from orchestra.cli.render.errors import render_failures
from orchestra.cli.render.log_lines import LogPrinter, short_name
from orchestra.cli.render.outlet import Outlet
from orchestra.cli.render.progress import Awaiting, Plain, Quiet, open_progress
from orchestra.cli.stack_file import check_services
from orchestra.cli.up_exchange import conclude, encode_up
from orchestra.driver.local.log_follow import Follower
from orchestra.driver.local.logs import LogCursor
from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.cli.mail import Letter
    from orchestra.cli.stack_file import Prepared
    from orchestra.control.client import Client

INTERRUPTED = 130


def run_attached(invocation: Invocation, prepared: Prepared, client: Client) -> int:
    """The exit code: 130 after Ctrl-C; that of a container where the command line asks for it; else 0 or 1."""
    for option in ("attach", "no_attach"):
        check_services(prepared.identity, invocation.values[option])
    if invocation.values["exit_code_from"]:
        check_services(prepared.identity, [invocation.values["exit_code_from"]])
    if invocation.values["attach"] and invocation.values["attach_dependencies"]:
        raise UserError("--attach and --attach-dependencies do not go together")
    with Signals(signal.SIGINT, signal.SIGTERM) as signals, contextlib.ExitStack() as stack:
        attached = Attached(invocation, prepared, stack, signals)
        return attached.run(client)


class Attached:
    """One foreground ``up``. ``code`` is set when it is over."""

    def __init__(
        self, invocation: Invocation, prepared: Prepared, stack: contextlib.ExitStack, signals: Signals
    ) -> None:
        self._invocation = invocation
        self._signals = signals
        self._prepared = prepared
        self._mail = Mail()
        self._stack = prepared.identity.stack
        self._home = invocation.home.stack(self._stack)
        self._drawing = stack.enter_context(contextlib.ExitStack())
        self._progress = self._drawing.enter_context(open_progress(invocation))
        self._progress.services = prepared.selected
        specs = json.loads(prepared.desired)["containers"] if prepared.desired else []
        self._services = choose_services(invocation.values, prepared.selected, specs)
        self._names = [
            short_name(self._stack, spec["name"], spec["service"], spec["index"])
            for spec in specs
            if spec["service"] in self._services
        ]
        self._outlets = Outlet(sys.stdout.fileno(), signals), Outlet(sys.stderr.fileno(), signals)
        self._printer = self._make_printer()
        self._follower: Follower | None = None
        if invocation.driver == "local":
            self._follower = stack.enter_context(Follower(self._home, lambda c: c.service in self._services))
        self._later: Quiet | None = None
        self._showing = False
        self._started = False
        self._accepted = False
        self._heard = "up"
        self._interrupts = 0
        self._stopping = False
        self._ending = 0
        self._leaving = False
        self.code: int | None = None

    def run(self, client: Client) -> int:
        if self._follower is not None:
            # What was written before is not ours to show.
            for _ in self._follower.begin(LogCursor.skip_to_end):
                continue
        self._mail.ask(client, "up", encode_up(self._invocation, self._prepared))
        poll = select.poll()
        poll.register(self._mail, select.POLLIN)
        poll.register(self._signals, select.POLLIN)
        if self._follower is not None:
            poll.register(self._follower, select.POLLIN)
        while self.code is None:
            behind = self._showing and self._follower is not None and self._follower.is_behind
            poll.poll(0 if behind else None)
            for _number in self._signals.read():
                self._interrupt()
            for letter in self._mail.read():
                self._open_letter(letter)
            self._show_logs()
            if self._leaving and not (self._follower is not None and self._follower.any_runs):
                self.code = 0
        if self._follower is not None and self._showing:
            self._printer.show(self._follower.read_all())
        return self.code

    def _open_letter(self, letter: Letter) -> None:
        if letter.op == "up" and not self._accepted:
            self._accepted = True
            if self._interrupts:
                self._stop()
        if letter.event is not None:
            if letter.op != self._heard:
                return  # every request is told of every event
            self._hear(letter.event)
        elif letter.error is not None:
            if letter.op in ("stop", "kill", "last") or not self._stopping:
                raise letter.error
        elif letter.result is not None:
            self._conclude(letter.op, letter.result)

    def _hear(self, event: dict[str, Any]) -> None:
        """Logs are shown from the first start on; but what redraws itself first sees everything made."""
        is_start = event["kind"] == "ActionEvent" and event["verb"] == "start" and event["phase"] in ("started", "done")
        self._started = self._started or is_start
        if not (is_start and self._progress.redraws):
            self._progress.hear(event)
        if self._started and not (self._progress.redraws and self._progress.is_making):
            self._attach()

    def _conclude(self, op: str, result: dict[str, Any]) -> None:
        match op:
            case "up" if not self._stopping:
                self._progress.settle(result["containers"])
                self._attach()
                if conclude(self._invocation, result):
                    self.code = 1
                else:
                    self._ask("attend", services=self._prepared.selected, until=_until(self._invocation.values))
            case "attend" if not self._stopping:
                self._end(result["exits"])
            case "stop" | "kill":
                self._progress.conclude("Stopping", "Stopped")
                if result["failures"]:
                    colors = self._invocation.colors(sys.stderr)
                    print(render_failures(result["failures"], colors), end="", file=sys.stderr)
                    self.code = 1
                else:
                    self._stopped()
            case "last":
                exits = result["exits"]
                self.code = _code(exits[0]) if exits else 0

    def _end(self, exits: list[dict[str, Any]]) -> None:
        """Everything has ended, or something has whose end is that of everything.

        Or the stack is going down by another command: then what still runs is watched to its end.
        """
        values = self._invocation.values
        until = _until(values)
        if until == "any-failed":
            exits = [row for row in exits if row["exit_code"] != 0]
        if until == "all-exited" or not exits:
            self._leaving = True
            return
        self._ending = _code(exits[0])
        print("Aborting on container exit...", file=sys.stderr, flush=True)
        self._stop()

    def _interrupt(self) -> None:
        self._interrupts += 1
        for outlet in self._outlets:
            outlet.hurries = True
        self._attach()
        # Asked first and said then: who reads may stand still.
        if self._interrupts == 1:
            if self._accepted:
                self._stop()
            print("Gracefully stopping... (press Ctrl+C again to force)", file=sys.stderr, flush=True)
        elif self._interrupts == 2:
            self._stopping = True
            self._ask("kill", "stop", services=self._prepared.selected, timeout=0)
            print("Killing...", file=sys.stderr, flush=True)
        else:
            self.code = INTERRUPTED

    def _stop(self) -> None:
        self._stopping = True
        self._heard = "stop"
        self._progress = self._later or self._progress
        self._ask("stop", services=self._prepared.selected, timeout=self._invocation.values["timeout"])

    def _stopped(self) -> None:
        wanted = self._invocation.values["exit_code_from"]
        if self._interrupts:
            self.code = INTERRUPTED
        elif wanted:
            self._ask("last", "attend", services=[wanted], until="all-exited")
        else:
            self.code = self._ending

    def _ask(self, name: str, op: str = "", **details: Any) -> None:
        client, question = client_of(self._invocation, self._stack), request(op or name, **details)
        self._mail.ask(client, name, question, events=name == self._heard)

    def _attach(self) -> None:
        """From now on logs are shown: what redraws itself has had its time."""
        if self._showing:
            return
        self._showing = True
        if self._progress.redraws:
            self._drawing.close()
            self._progress = Awaiting()
            self._progress.services = self._prepared.selected
            self._later = Plain()
        if self._names and self._follower is not None and not self._interrupts:
            print(f"Attaching to {', '.join(self._names)}", file=sys.stderr, flush=True)

    def _show_logs(self) -> None:
        if self._follower is not None and self._showing:
            self._printer.show(self._follower.read())

    def _make_printer(self) -> LogPrinter:
        values = self._invocation.values
        printer = LogPrinter(
            self._stack,
            self._prepared.identity.services,
            color=self._invocation.colors(sys.stdout) and not values["no_color"],
            prefix=not values["no_log_prefix"],
            timestamps=values["timestamps"],
            outputs=self._outlets,
        )
        printer.expect_names(*self._names)
        return printer


def choose_services(values: dict[str, Any], selected: Iterable[str], specs: Iterable[dict[str, Any]]) -> set[str]:
    """Whose logs are shown: those asked for, else those started by name, but for ``attach: false``."""
    if values["attach"]:
        chosen = set(values["attach"])
    else:
        named = set(selected) if values["attach_dependencies"] else set(values["services"])
        chosen = {
            spec["service"] for spec in specs if spec.get("attach", True) and (not named or spec["service"] in named)
        }
    return chosen.difference(values["no_attach"])


def _code(exited: dict[str, Any]) -> int:
    """The exit code to end with after a container; 1 if its own could not be learned."""
    code: int | None = exited["exit_code"]
    return 1 if code is None else code


def _until(values: dict[str, Any]) -> str:
    if values["abort_on_container_exit"] or values["exit_code_from"]:
        return "any-exited"
    return "any-failed" if values["abort_on_container_failure"] else "all-exited"
