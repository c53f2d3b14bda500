"""A stack that a program has brought up: what it can be asked, and told."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestra.api.errors import ExecError, StackError, UpError
from orchestra.control.conversation import GivenUp
from orchestra.driver import Part
from orchestra.errors import UserError
from orchestra.model.project import Chosen
from orchestra.model.request import Changes
from orchestra.named_tuple import NamedTuple
from orchestra.record import replace
from orchestra.stacks.containers import Known, exists
from orchestra.stacks.down import DownOptions, down
from orchestra.stacks.stack_file import StackFile
from orchestra.stacks.up import UpOptions, begin_up, up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.api.event_stream import EventStream
    from orchestra.api.log import LogLine
    from orchestra.api.program import ExecResult
    from orchestra.errors import Diagnostic
    from orchestra.model.result import Exit, ReportedFailure, StartResult, UpResult
    from orchestra.stacks.containers import ContainerRow
    from orchestra.stacks.context import Context
    from orchestra.stacks.up import Beginning

LAST = 20
"""How many lines of each container a failure shows."""
RECORDED = 30.0
"""Seconds in which the end of a run is recorded."""
ANYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
"""Where to reach what listens on all addresses."""


class Address(NamedTuple):
    """Where a port is published. As text ``127.0.0.1:8080``."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class RunningStack:
    """A stack that is up. Services are named as in the file; where none are named, all are meant.

    - ``name``: of the stack. ``services``: all that the file declares.
    - ``notes``: warnings about the file, such as attributes that have no effect.

    Methods raise UserError for a service that does not exist or does not run, StackError when something could not be
    done, and EnvironmentLack if this user may not.
    """

    def __init__(self, context: Context, known: Known, chosen: Chosen, notes: Sequence[Diagnostic]) -> None:
        self.name: str = known.stack
        self.services: tuple[str, ...] = known.services or ()
        self.notes: tuple[Diagnostic, ...] = tuple(notes)
        self._context = context
        self._known = known
        self._chosen = [chosen]

    def containers(self, *services: str) -> list[ContainerRow]:
        """Those that exist, whatever their state, by name."""
        from orchestra.stacks.ps import PsOptions, ps

        return ps(self._context, PsOptions(all=True, services=services)).containers

    def address(self, service: str, port: int, *, protocol: str = "tcp", index: int | None = None) -> Address:
        """Where a port of a container is published. index: of the replica; None for the lowest that runs."""
        from orchestra.stacks.port import PortOptions
        from orchestra.stacks.port import port as find_port

        found = find_port(self._context, PortOptions(service, str(port), protocol, index or 0))[0]
        host, _, number = found.rpartition(":")
        return Address(ANYWHERE.get(host, host).strip("[]"), int(number))

    def port(self, service: str, port: int, *, protocol: str = "tcp", index: int | None = None) -> int:
        """The number of the port of this machine that a port of a container is published at."""
        return self.address(service, port, protocol=protocol, index=index).port

    def exec(
        self,
        service: str,
        command: Sequence[str],
        *,
        index: int | None = None,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
        directory: str = "",
        input: str | bytes = "",
        timeout: float | None = None,
        check: bool = False,
    ) -> ExecResult:
        """Run a command in a container to its end. Output that is not UTF-8 is shown with replacement characters.

        - ``index``: of the replica; None for the lowest that runs.
        - ``environment``: added to that of the container. ``input``: its standard input.
        - ``timeout``: in seconds; then the command is killed, and TimeoutError raised.
        - ``check``: raise ExecError unless the exit code is 0.
        """
        return self._exec(-1, service, command, index, user, environment, directory, input, timeout, check)

    def _exec(
        self,
        stop: int,
        service: str,
        command: Sequence[str],
        index: int | None,
        user: str | None,
        environment: Mapping[str, str] | None,
        directory: str,
        given: str | bytes,
        timeout: float | None,
        check: bool,
    ) -> ExecResult:
        """stop: see ``Limit``."""
        from orchestra.api.program import run_program
        from orchestra.stacks.exec import ExecOptions

        if isinstance(command, str):
            raise UserError(f"the command {command!r} is one text", hint="write a list of words, such as ['ls', '/']")
        options = ExecOptions(service, tuple(command), index, user, dict(environment or {}), directory)
        data = given.encode() if isinstance(given, str) else given
        result = run_program(self._context, options, data, timeout, stop)
        if check and result.exit_code:
            message = f"{command[0]} in {service} ended with exit code {result.exit_code}"
            raise ExecError(message, code=result.exit_code, stdout=result.stdout, stderr=result.stderr)
        return result

    def logs(self, *services: str, tail: int | None = None) -> list[LogLine]:
        """What containers have written, by time. tail: how many lines of each at most; None for all."""
        from orchestra.api.log import read_lines

        return read_lines(self._context, services, tail)

    def wait_for_log(self, service: str, pattern: str, *, timeout: float = 60.0) -> LogLine:
        """The first line of a service, written before or from now on, in which a regular expression is found.

        Raises TimeoutError if there is none within that many seconds.
        """
        return self._wait_for_log(-1, service, pattern, timeout)

    def _wait_for_log(self, stop: int, service: str, pattern: str, timeout: float) -> LogLine:
        from orchestra.api.log import wait_for_line

        self._context.need(Part.LOGS)
        if service not in self.services:
            from orchestra.nearest import suggest

            raise UserError(f"no such service: {service}", hint=suggest(service, self.services, "services"))
        return wait_for_line(self._context.home.stack(self.name), service, pattern, timeout, stop)

    def events(self, *, timeout: float | None = None) -> EventStream:
        """What happens from now on, until the stack is down. Close it in the end, best with ``with``.

        timeout: how many seconds to wait for each event; then TimeoutError. None waits without a limit.
        """
        from orchestra.api.event_stream import EventStream

        return EventStream(self._context.client(self.name), timeout)

    def wait(self, *services: str) -> tuple[Exit, ...]:
        """Wait until what runs now has ended. How the runs ended, in that order, each with ``exit_code``."""
        from orchestra.stacks.life_cycle import WaitOptions, wait

        return wait(self._context, WaitOptions(services))

    def up(self, *services: str, wait: bool = True, timeout: float | None = None) -> None:
        """Have everything as the file says again, which may have changed. wait, timeout: as for ``start``."""
        self._up(None, services, wait, timeout)

    def _up(self, stop: int | None, services: tuple[str, ...], wait: bool, timeout: float | None) -> None:
        """stop: a descriptor; once it is readable, this raises GivenUp, and asks for nothing more."""
        self._ask(stop, replace(self._chosen[0], services=services or self._chosen[0].services), wait, timeout)

    def scale(self, service: str, count: int, *, wait: bool = True, timeout: float | None = None) -> None:
        """Have so many containers of a service. wait, timeout: as for ``start``. Raises UpError."""
        self._scale(None, service, count, wait, timeout)

    def _scale(self, stop: int | None, service: str, count: int, wait: bool, timeout: float | None) -> None:
        """stop: as for ``_up``."""
        chosen = Chosen((service,), scale={service: count}, automatic_ports=self._chosen[0].automatic_ports)
        self._ask(stop, chosen, wait, timeout)

    def _ask(self, stop: int | None, chosen: Chosen, wait: bool, timeout: float | None) -> None:
        self._chosen.append(chosen)
        beginning = begin_up(self._context, chosen)
        try:
            self._check_up(up(beginning, UpOptions(chosen, Changes(), wait, timeout), stop=stop))
        except GivenUp:
            beginning.client.dismiss()
            raise

    def start(self, *services: str, wait: bool = True, timeout: float | None = None) -> None:
        """Start containers that exist, and those that they depend on. What runs already is left alone.

        wait: until they run, and those with a health check are healthy; for at most ``timeout`` seconds, then UpError.
        """
        from orchestra.stacks.life_cycle import StartOptions, start

        self._check_up(start(self._context, StartOptions(services, wait, timeout)))

    def stop(self, *services: str, timeout: float | None = None) -> None:
        """Stop containers, which stay so until they are started. timeout: seconds until they are killed, instead of
        the file's.
        """
        from orchestra.stacks.life_cycle import StopOptions, stop

        self._check("stopped", stop(self._context, StopOptions(services, timeout)).failures)

    def restart(self, *services: str, timeout: float | None = None) -> None:
        """Stop containers and start them again. timeout: as for ``stop``."""
        from orchestra.stacks.life_cycle import RestartOptions, restart

        self._check_up(restart(self._context, RestartOptions(services, timeout)))

    def kill(self, *services: str, signal: str = "SIGKILL") -> None:
        """Send a signal to the first process of each container. As with ``orchestra kill``, SIGKILL and a container's
        stop signal set its restart policy aside.
        """
        from orchestra.stacks.life_cycle import KillOptions, kill

        kill(self._context, KillOptions(services, signal))

    def crash(self, *services: str) -> None:
        """Kill the first process of each container behind the back of Orchestra: restart policies apply.

        Returns when the ends of these runs are recorded. Raises TimeoutError if they are not.
        """
        from signal import SIGKILL

        from orchestra.shim.client import kill

        self._context.need_privileges()
        self._context.need(Part.PROCESSES)
        home = self._context.home.stack(self.name)
        killed: dict[str, float] = {}
        with self.events(timeout=RECORDED) as events:
            for row in self.containers(*services):
                with suppress(ProcessLookupError):  # it does not run
                    kill(home.container(row.name), SIGKILL)
                    killed[row.name] = row.started_at
            while any(row.runs and row.started_at == killed.get(row.name) for row in self.containers(*services)):
                if next(events, None) is None:
                    return  # the stack has neither supervisor nor fork server

    def pause(self, *services: str) -> None:
        """Have all processes stand still."""
        from orchestra.stacks.life_cycle import pause

        pause(self._context, services)

    def unpause(self, *services: str) -> None:
        """Have paused processes move again."""
        from orchestra.stacks.life_cycle import unpause

        unpause(self._context, services)

    def down(self, *, remove_volumes: bool = False, timeout: float | None = None) -> None:
        """Stop and remove containers and networks. A second call does nothing.

        remove_volumes: and the volumes that the file declares. timeout: as for ``stop``.
        """
        if exists(self._context, self.name) or remove_volumes:
            self._take_down(remove_volumes=remove_volumes, timeout=timeout)

    def _take_down(self, *, remove_volumes: bool, timeout: float | None) -> None:
        """As ``down``, also what the supervisor has been asked for, but has not recorded yet."""
        options = DownOptions(volumes=remove_volumes, remove_orphans=True, timeout=timeout)
        self._check("removed", down(self._context, self._known, options).failures)

    def _forget(self) -> None:
        """Remove what is remembered under a name that will not be used again."""
        file = StackFile(self._context)
        for chosen in self._chosen:
            file.forget(chosen)
        with suppress(FileNotFoundError):
            os.unlink(f"{self._context.home.ports}/{self.name}.json")

    def _bring_up(self, beginning: Beginning, options: UpOptions, stop: int | None) -> None:
        self._check_up(up(beginning, options, stop=stop))

    def _check_up(self, result: UpResult | StartResult) -> None:
        """Raises UpError."""
        if not result.failures and not result.timed_out:
            return
        if result.failures:
            reasons = _reasons(result.failures)
            names = {failure.resource.name for failure in result.failures}
        else:
            reasons = f"still waiting for {', '.join(result.unproven) or 'its containers'}"
            names = set(result.unproven)
        logs = self._last_lines(names)
        message = f"stack {self.name} did not come up: {reasons}"
        raise UpError(message, failures=result.failures, logs=logs, timed_out=result.timed_out)

    def _check(self, done: str, failures: Sequence[ReportedFailure]) -> None:
        """Raises StackError."""
        if failures:
            logs = self._last_lines({failure.resource.name for failure in failures})
            raise StackError(
                f"not all of stack {self.name} could be {done}: {_reasons(failures)}", failures=failures, logs=logs
            )

    def _last_lines(self, names: set[str]) -> list[LogLine]:
        """Of these containers; of all if none of these wrote anything, for the reason may lie in another."""
        if not self._context.offers(Part.LOGS):
            return []
        lines = self.logs(tail=LAST)
        return [line for line in lines if line.container in names or line.service in names] or lines


def _reasons(failures: Sequence[ReportedFailure]) -> str:
    return "; ".join(f"{failure.resource}: {failure.error}" for failure in failures)
