"""What keys make happen: calls of use cases, in threads of the dashboard."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestra.errors import UserError
from orchestra.model.project import Chosen
from orchestra.record import Record, replace
from orchestra.stacks.overview import context_of
from orchestra.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.model.result import ReportedFailure
    from orchestra.stacks.containers import Known
    from orchestra.stacks.context import Context
    from orchestra.stacks.overview import StackView
    from orchestra.stacks.plan import PlanOptions, PlanResult
    from orchestra.stacks.stack_file import Prepared
    from orchestra.stacks.why import Explanation


class Ahead(Record):
    """What ``up`` would do: text is for people, changes says whether that is anything."""

    context: Context
    prepared: Prepared
    options: PlanOptions
    result: PlanResult
    text: str

    @property
    def changes(self) -> bool:
        return self.result.preview.changes


class Deeds:
    """own: the stack of the caller's file, whose context is the caller's own."""

    def __init__(self, context: Context, own: Known | None) -> None:
        self._context, self._own = context, own

    def context(self, stack: StackView, command: str = "") -> Context:
        """command: for the history of the stack."""
        is_own = self._own is not None and self._own.stack == stack.name
        theirs = self._context if is_own else context_of(self._context, stack)
        return replace(theirs, command=f"ui ({command})" if command else "ui")

    def files(self, stack: StackView) -> tuple[str, ...]:
        """Those that can be edited. Raises UserError if they were sent here from another machine."""
        context = self.context(stack)
        if context.files:
            raise UserError(
                f"the files of {stack.name} are on the machine that ui was started on",
                hint="edit them there, and start ui again",
            )
        files = stack.files or context.project.files
        if not files and self._own is not None and self._own.stack == stack.name:
            files = _find_files(context)
        directory = context.working_directory or os.getcwd()
        paths = [os.path.join(directory, path) for path in files]
        return tuple(path for path in paths if os.path.isfile(path))

    def start(self, stack: StackView, service: str) -> str:
        from orchestra.stacks.life_cycle import StartOptions, start

        result = start(self.context(stack, f"start {service}".strip()), StartOptions(_services(service)))
        _check(result.failures)
        return f"{service or stack.name} started"

    def stop(self, stack: StackView, service: str) -> str:
        from orchestra.stacks.life_cycle import StopOptions, stop

        _check(stop(self.context(stack, f"stop {service}".strip()), StopOptions(_services(service))).failures)
        return f"{service or stack.name} stopped"

    def restart(self, stack: StackView, service: str) -> str:
        from orchestra.stacks.life_cycle import RestartOptions, restart

        context = self.context(stack, f"restart {service}".strip())
        _check(restart(context, RestartOptions(_services(service))).failures)
        return f"{service or stack.name} restarted"

    def scale(self, stack: StackView, service: str, number: int) -> str:
        from orchestra.stacks.up import UpOptions, begin_up, up, with_providers

        self._need_files(stack)
        options = UpOptions(Chosen((service,), scale={service: number}))
        beginning = begin_up(self.context(stack, f"scale {service}={number}"), options.chosen)
        _check(up(with_providers(beginning, lambda _text: None), options).failures)
        return f"{service} has {number} containers"

    def look_ahead(self, stack: StackView) -> Ahead:
        """Changes nothing."""
        from orchestra.stacks.plan import PlanOptions, load_for_plan, plan, render_text

        self._need_files(stack)
        context, options = self.context(stack, "apply"), PlanOptions()
        prepared = load_for_plan(context, options)
        result = plan(context, prepared, options)
        return Ahead(context, prepared, options, result, visible(render_text(result), lines=True))

    def apply(self, ahead: Ahead) -> str:
        """Carry out exactly that, or nothing."""
        from orchestra.stacks.apply import begin_reviewed, review
        from orchestra.stacks.up import UpOptions, up

        reviewed = review(ahead.context, ahead.prepared, ahead.options, ahead.result)
        _check(up(begin_reviewed(ahead.context, ahead.prepared, reviewed), UpOptions()).failures)
        return f"{ahead.prepared.identity.stack} is as its file says"

    def why(self, stack: StackView) -> list[Explanation]:
        from orchestra.stacks.why import why

        return why(self.context(stack))

    def web_address(self, stack: StackView, service: str) -> str:
        """Of the first published port of the service, or of the stack; empty if none is."""
        from orchestra.stacks.port import choose_web_address

        rows = [
            (host, inside)
            for each in stack.services
            if service in ("", each.name)
            for host, _, inside in (port.rpartition("->") for port in each.ports)
        ]
        return choose_web_address(rows)

    def _need_files(self, stack: StackView) -> None:
        context = self.context(stack)
        is_own = self._own is not None and self._own.stack == stack.name
        if not is_own and not context.project.files:
            named = ", ".join(stack.files) or "its files"
            raise UserError(f"stack {stack.name}: {named} cannot be found", hint="run orchestra up where they are")


def _services(service: str) -> tuple[str, ...]:
    return (service,) if service else ()


def _check(failures: Iterable[ReportedFailure]) -> None:
    """Raises UserError with the first failure."""
    for failure in failures:
        raise UserError(f"{failure.resource}: {failure.error}", hint=failure.hint)


def _find_files(context: Context) -> tuple[str, ...]:
    from orchestra.stacks.stack_file import StackFile

    return StackFile(context).load(Chosen()).desired.config_files
