"""``orchestra run``: a command in a container of its own, attached to this terminal or these pipes."""

from __future__ import annotations

import signal
import sys
from errno import EACCES, ENOENT, ENOEXEC
from functools import partial

from orchestra.cli.attachment import ENDING, HEARD, Detached, Streams, await_one
from orchestra.cli.build_first import build_first
from orchestra.cli.program_options import wants_terminal
from orchestra.cli.progress import open_progress
from orchestra.cli.relay import Signals
from orchestra.cli.up_result import conclude_failures
from orchestra.cli.warnings import warn_of_notes, warn_of_orphans
from orchestra.errors import EnvironmentLack, UserError
from orchestra.model.result import ConcludeResult, RunResult
from orchestra.record import replace
from orchestra.stacks.detach_keys import DEFAULT, parse_detach_keys
from orchestra.stacks.mail import Answered, Failed, Heard
from orchestra.stacks.run import RunOptions, begin_run, read_environment_file
from orchestra.stacks.variable import read_variables
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.context import Context
    from orchestra.stacks.run import OneOffRun
    from orchestra.stacks.stack_file import Prepared

CANNOT_START = 125
NOT_EXECUTABLE = {ENOENT: 127, EACCES: 126, ENOEXEC: 126}
"""Docker's exit codes."""


def run(invocation: Invocation) -> int:
    values, context = invocation.values, invocation.context
    options = read_options(values, context)

    def ready(prepared: Prepared) -> None:
        build_first(invocation, prepared)

    with Signals(*HEARD) as signals, begin_run(context, options, ready) as one_off:
        warn_of_notes(invocation, one_off.notes)
        return _Run(invocation, options, one_off, signals).run()


def read_options(values: dict[str, Any], context: Context) -> RunOptions:
    if values["publish"] and values["service_ports"]:
        raise UserError("--service-ports and --publish are incompatible")
    environment: dict[str, str] = {}
    for path in values["env_files"]:
        environment |= read_environment_file(path, context)
    environment |= read_variables("--env", values["env"], context.given_variables)
    return RunOptions(
        service=values["service"],
        command=tuple(values["command"]),
        name=values["name"],
        detach=values["detach"],
        remove=values["remove"],
        entrypoint=values["entrypoint"],
        environment=environment,
        user=values["user"],
        working_directory=values["workdir"],
        labels=tuple(values["labels"]),
        volumes=tuple(values["volumes"]),
        publish=tuple(values["publish"]),
        service_ports=values["service_ports"],
        use_aliases=values["use_aliases"],
        no_deps=values["no_deps"],
        cap_add=tuple(values["cap_add"]),
        cap_drop=tuple(values["cap_drop"]),
        terminal=wants_terminal(values),
        interactive=values["interactive"],
        pull=None if values["pull"] == "policy" else values["pull"],
        remove_orphans=values["remove_orphans"],
    )


class _Run:
    def __init__(self, invocation: Invocation, options: RunOptions, one_off: OneOffRun, signals: Signals) -> None:
        self._invocation = invocation
        self._options = options
        self._one_off = one_off
        self._signals = signals
        self._early: list[int] = []  # signals for the program, before it runs
        self._end: ConcludeResult | None = None

    def run(self) -> int:
        """The exit code: the program's own, or Docker's for one that cannot be started."""
        result = self._start()
        if result is None:
            return 128 + self._early[-1]
        warn_of_orphans(self._invocation, result.orphans)
        if result.failures:
            conclude_failures(self._invocation, result.failures)
            its_own = any(failure.resource.name == self._one_off.spec.name for failure in result.failures)
            return NOT_EXECUTABLE.get(result.not_executable, CANNOT_START if its_own else 1)
        if self._options.detach:
            print(result.id)
            return 0
        self._one_off.await_end()
        try:
            return self._attend()
        except Detached:
            print(f"\r\nDetached from {visible(self._one_off.spec.name)}", file=sys.stderr)
            return 0

    def _start(self) -> RunResult | None:
        """None when it was given up before it has started."""
        quiet = self._invocation.values["quiet"]
        shared = {**self._invocation.shared, "progress": "quiet"} if quiet else self._invocation.shared
        mail = self._one_off.mail
        with open_progress(replace(self._invocation, shared=shared)) as progress:
            while True:
                await_one(self._signals, mail, take=self._take_early)
                for letter in mail.read():
                    match letter:
                        case Heard(_, event):
                            progress.hear(event)
                        case Answered(_, RunResult() as result):
                            return result
                        case Failed(_, error):
                            if self._early:
                                return None
                            raise error

    def _take_early(self, number: int) -> None:
        """Give it up; where it has just been started, the signal is its own."""
        if number in ENDING:
            self._early.append(number)
            if self._one_off.cancel():
                raise SystemExit(128 + number)

    def _attend(self) -> int:
        """Until it has ended, by way of every shim that looks after it."""
        streams = Streams(self._signals, stdin=self._options.interactive, keys=parse_detach_keys(DEFAULT))
        call = self._one_off.call
        assert call is not None
        code: int | None = None
        while True:
            if not call.has_come:
                if self._end is not None:
                    break
                await_one(self._signals, call, self._one_off.mail, take=self._take_unattached)
            if call.has_come:
                attachment = self._one_off.answer()
                if attachment is None:
                    continue
                with attachment:
                    for number in self._early:
                        streams.take(attachment, number)
                    self._early.clear()
                    streams.relay(attachment)
                    if attachment.ended:
                        code = attachment.exit_code
                        break
            else:
                self._read_end()
        if self._options.remove or code is None:
            while self._end is None:
                await_one(self._signals, self._one_off.mail, take=partial(self._take_unattached, code=code))
                self._read_end()
            code = self._end.exit_code if code is None else code
        if code is None:
            hint = "its shim was killed, or its directory removed"
            raise EnvironmentLack("the exit code of the container could not be learned", hint=hint)
        return code

    def _read_end(self) -> None:
        for letter in self._one_off.mail.read():
            match letter:
                case Answered(_, ConcludeResult() as result):
                    self._end = result
                case Failed(_, error):
                    raise error

    def _take_unattached(self, number: int, code: int | None = None) -> None:
        """Wait no longer. code: the program's, once it has ended; before that, the container goes on."""
        if number != signal.SIGWINCH:
            raise SystemExit(128 + number if code is None else code)
