"""``up`` in the foreground: shows the logs of the started containers until all have exited or are stopped.

One loop reports everything. Threads make the requests to the supervisor, and only wait for the answers: each
letter that they bring back is handled by the loop.
"""

from __future__ import annotations

import json
import select
from enum import StrEnum
from functools import partial
from typing import assert_never

from orchestra.driver import Part
from orchestra.driver.local.log_follow import Follower
from orchestra.driver.local.logs import LogCursor
from orchestra.errors import UserError
from orchestra.model.request import AttendRequest, StopRequest, Until
from orchestra.model.result import AttendResult, StopResult, UpResult
from orchestra.record import Record
from orchestra.ssh.caller import caller
from orchestra.stacks.keys import Detach, OpenInBrowser, ToggleLogs, ToggleWatch
from orchestra.stacks.mail import Answered, Failed, Heard, Mail
from orchestra.stacks.port import find_web_address
from orchestra.stacks.stack_file import check_services

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, Protocol

    from orchestra.model.event import Event
    from orchestra.model.log import Happening
    from orchestra.model.result import Exit
    from orchestra.stacks.keys import Key
    from orchestra.stacks.stack_file import Prepared
    from orchestra.stacks.up import Beginning, UpOptions
    from orchestra.stacks.watching.background import BackgroundWatch
    from orchestra.stacks.watching.events import WatchEvent

    class Interrupts(Protocol):
        """Requests to stop: ``fileno`` is readable when there are any, and ``read`` takes them all."""

        def fileno(self) -> int: ...

        def read(self) -> Sequence[int]: ...

    class Keyboard(Protocol):
        """What the user asks for by keys. is_over: nothing more comes."""

        is_over: bool

        def fileno(self) -> int: ...

        def read(self) -> Sequence[Key]: ...

    class Audience(Protocol):
        """The side that shows everything to the user."""

        def hear(self, event: Event) -> bool:
            """Handle an event of the current request. Return whether to show logs from now on."""

        def attach(self) -> None:
            """Logs are shown from now on."""

        def show(self, happenings: Iterable[Happening]) -> None: ...

        def settle(self, result: UpResult) -> None:
            """Everything is running, or cannot run."""

        def conclude(self, result: UpResult) -> bool:
            """Return whether to go on after this result."""

        def say(self, notice: Notice) -> None: ...

        def hurry(self) -> None:
            """Do not wait for readers of the output any more."""

        def stopped(self, result: StopResult) -> None: ...

        def watch(self, event: WatchEvent) -> None:
            """Something has happened because a file has changed."""

        def set_watching(self, watches: bool, error: Exception | None = None) -> None:
            """Files are watched from now on, or no longer, perhaps because of an error."""

        def open(self, address: str) -> None:
            """Show the web page at this address; empty if there is none."""

        def set_showing(self, service: str, shows: bool) -> None:
            """The logs of the service are shown from now on, or hidden."""


INTERRUPTED = 130
Result = UpResult | StopResult | AttendResult


class Notice(StrEnum):
    """What is about to happen beyond the command itself."""

    ABORTING = "aborting"
    STOPPING = "stopping"
    KILLING = "killing"


class AttachOptions(Record):
    """attach, no_attach: services whose logs are shown, or not; without both, those named on the command line.

    attach_dependencies: also show dependencies. until: what ends everything; exit_code_from: the service whose
    exit code the command returns. timeout: seconds until stopping containers are killed. watch: act on changed files.
    """

    attach: tuple[str, ...] = ()
    no_attach: tuple[str, ...] = ()
    attach_dependencies: bool = False
    until: Until = Until.ALL_EXITED
    exit_code_from: str | None = None
    timeout: float | None = None
    watch: bool = False

    def check(self, prepared: Prepared) -> None:
        """Raise UserError for services that the file does not declare, and for conflicting options."""
        for services in (self.attach, self.no_attach, [self.exit_code_from] if self.exit_code_from else ()):
            check_services(prepared.identity, services)
        if self.attach and self.attach_dependencies:
            raise UserError("--attach and --attach-dependencies cannot be combined")


class Attached:
    """One foreground ``up``. specs: the containers whose logs are shown, as the file defines them."""

    def __init__(
        self,
        beginning: Beginning,
        up: UpOptions,
        options: AttachOptions,
        interrupts: Interrupts,
        keyboard: Keyboard | None = None,
    ) -> None:
        """Raises UserError for invalid options, and what a watch raises for its rules."""
        options.check(beginning.prepared)
        self._context = beginning.context
        self._beginning = beginning
        self._up = up
        self._options = options
        self._interrupts = interrupts
        self._selected = beginning.prepared.selected
        self._stack = beginning.prepared.identity.stack
        specs = json.loads(beginning.prepared.desired).get("containers", []) if beginning.prepared.desired else []
        self._services = choose_services(options, up.chosen.services, self._selected, specs)
        self.specs = [spec for spec in specs if spec["service"] in self._services]
        self._keyboard = keyboard
        self.services = sorted({spec["service"] for spec in specs})
        self._followed = set(self.services) if keyboard else self._services
        self._hidden = self._followed - self._services
        self.shows_logs = self._context.offers(Part.LOGS)
        self._mail: Mail[Result | WatchEvent] = Mail()
        self._showing = False
        self._accepted = False
        self._heard = "up"
        self.interrupted = 0
        self._stopping = False
        self._ending = 0
        self._leaving = False
        self._detaching = False
        self._code: int | None = None
        self._watch: BackgroundWatch | None = None
        if options.watch:
            self._make_watch().check()

    def run(self, audience: Audience) -> int:
        """Return the exit code: 130 after an interrupt; that of a container if an option asks for it; else 0 or 1."""
        if not self.shows_logs:
            return self._run(audience, None)
        home = self._context.home.stack(self._stack)
        services = self._followed
        with Follower(home, lambda each: each.service in services and not each.one_off) as follower:
            # Earlier output is not shown.
            for _ in follower.begin(LogCursor.skip_to_end):
                continue
            return self._run(audience, follower)

    def _run(self, audience: Audience, follower: Follower | None) -> int:
        self._audience = audience
        client, request = self._beginning.client, self._beginning.request(self._up)
        desired, hear = self._beginning.prepared.desired, self._beginning.hearing(partial(self._mail.hear, "up"))
        self._mail.ask("up", lambda: client.ask(UpResult, request, hear, desired=desired))
        self._poll = poll = select.poll()
        for source in (self._mail, self._interrupts, follower):
            if source is not None:
                poll.register(source, select.POLLIN)
        while self._code is None:
            behind = self._showing and follower is not None and follower.is_behind
            ready = {fd for fd, _events in poll.poll(0 if behind else None)}
            for _number in self._interrupts.read():
                self._interrupt()
            for letter in self._mail.read():
                self._open_letter(letter)
            if self._keyboard is not None and self._keyboard.fileno() in ready:
                self._press(self._keyboard)
            if follower is not None and self._showing:
                audience.show(self._shown(follower.read()))
            if self._leaving and not (follower is not None and follower.any_runs):
                self._code = 0
        if follower is not None and self._showing:
            audience.show(self._shown(follower.read_all()))
        if self._watch is not None:
            self._watch.end()
        return self._code

    def _shown(self, happenings: Iterable[Happening]) -> Iterator[Happening]:
        return (happened for happened in happenings if happened.container.service not in self._hidden)

    def _press(self, keyboard: Keyboard) -> None:
        """Do what the user has asked for meanwhile; while containers are stopping it is too late for that."""
        keys = keyboard.read()
        if keyboard.is_over:
            self._poll.unregister(keyboard)
        for key in keys if not self._stopping else ():
            match key:
                case Detach():
                    self._detaching = True
                    if self._accepted:
                        self._code = 0
                case ToggleWatch():
                    self._toggle_watch()
                case OpenInBrowser():
                    self._audience.open(find_web_address(self._context, self._stack))
                case ToggleLogs(service):
                    self._hidden ^= {service}
                    self._audience.set_showing(service, service not in self._hidden)
                case _:
                    assert_never(key)

    def _make_watch(self) -> BackgroundWatch:
        if self._watch is None:
            from orchestra.stacks.watching.background import BackgroundWatch

            self._watch = BackgroundWatch(self._context, self._up.chosen.services, self._mail)
        return self._watch

    def _toggle_watch(self) -> None:
        if caller() is not None:
            hint = "run orchestra watch there"
            error = UserError(
                "the files are on the machine where the command was given, and change only there", hint=hint
            )
            self._audience.set_watching(False, error)
            return
        watch = self._make_watch()
        if watch.is_on:
            watch.end()
        else:
            watch.begin()
        self._audience.set_watching(watch.is_on)

    def _open_letter(self, letter: Heard | Answered[Result | WatchEvent] | Failed) -> None:
        if letter.topic == "up" and not self._accepted:
            self._accepted = True
            if self.interrupted:
                self._stop()
            elif self._detaching:
                self._code = 0
        match letter:
            case Failed("watch", error) if self._watch is not None:
                self._watch.end()
                self._audience.set_watching(False, error)
            case Heard(topic, event):
                # Every request gets every event.
                if topic == self._heard and self._audience.hear(event):
                    self._attach()
            case Failed(topic, error):
                if topic in ("stop", "kill", "last") or not self._stopping:
                    raise error
            case Answered(_, UpResult() as result) if not self._stopping:
                self._come_up(result)
            case Answered("attend", AttendResult(exits)) if not self._stopping:
                self._end(exits)
            case Answered("last", AttendResult(exits)):
                self._code = _code(exits[0]) if exits else 0
            case Answered(_, StopResult(failures) as result):
                self._audience.stopped(result)
                if failures:
                    self._code = 1
                else:
                    self._stopped()
            case Answered("watch", event) if event is not None and not isinstance(event, Result):
                self._audience.watch(event)

    def _come_up(self, result: UpResult) -> None:
        self._beginning.settle(result)
        self._audience.settle(result)
        self._attach()
        if not self._audience.conclude(result):
            self._code = 1
            return
        if self._options.watch:
            self._toggle_watch()
        self._attend("attend", self._selected, self._options.until)

    def _end(self, exits: Sequence[Exit]) -> None:
        """End after all containers have exited, or one whose exit ends everything.

        Or another command is taking the stack down: then watch the running containers to their end.
        """
        until = self._options.until
        if until is Until.ANY_FAILED:
            exits = [row for row in exits if row.exit_code != 0]
        if until is Until.ALL_EXITED or not exits:
            self._leaving = True
            return
        self._ending = _code(exits[0])
        self._audience.say(Notice.ABORTING)
        self._stop()

    def _interrupt(self) -> None:
        self.interrupted += 1
        self._audience.hurry()
        self._attach()
        # Send the request before the notice: a reader may be stalled.
        if self.interrupted == 1:
            if self._accepted:
                self._stop()
            self._audience.say(Notice.STOPPING)
        elif self.interrupted == 2:
            self._stopping = True
            self._ask_to_stop("kill", 0.0)
            self._audience.say(Notice.KILLING)
        else:
            self._code = INTERRUPTED

    def _stop(self) -> None:
        self._stopping = True
        if self._watch is not None:
            self._watch.end()  # or it might restart what has just stopped
        self._heard = "stop"
        self._ask_to_stop("stop", self._options.timeout)

    def _stopped(self) -> None:
        wanted = self._options.exit_code_from
        if self.interrupted:
            self._code = INTERRUPTED
        elif wanted:
            self._attend("last", (wanted,), Until.ALL_EXITED)
        else:
            self._code = self._ending

    def _ask_to_stop(self, topic: str, timeout: float | None) -> None:
        client, request = self._context.client(self._stack), StopRequest(self._selected, timeout)
        hear = partial(self._mail.hear, topic) if topic == self._heard else None
        self._mail.ask(topic, lambda: client.ask(StopResult, request, hear))

    def _attend(self, topic: str, services: tuple[str, ...], until: Until) -> None:
        client, request = self._context.client(self._stack), AttendRequest(services, until)
        self._mail.ask(topic, lambda: client.ask(AttendResult, request))

    def _attach(self) -> None:
        if not self._showing:
            self._showing = True
            self._audience.attach()
            if self._keyboard is not None:
                self._poll.register(self._keyboard, select.POLLIN)


def choose_services(
    options: AttachOptions, named: Iterable[str], selected: Iterable[str], specs: Iterable[dict[str, Any]]
) -> set[str]:
    """Services whose logs are shown: the chosen ones, else those named, except for ``attach: false``."""
    if options.attach:
        chosen = set(options.attach)
    else:
        started = set(selected) if options.attach_dependencies else set(named)
        chosen = {
            spec["service"]
            for spec in specs
            if spec.get("attach", True) and (not started or spec["service"] in started)
        }
    return chosen.difference(options.no_attach)


def _code(exited: Exit) -> int:
    """The exit code of the command after a container; 1 if the container's own is unknown."""
    return 1 if exited.exit_code is None else exited.exit_code
