"""``up``: have the supervisor bring the world in line with the file, and report the progress."""

from __future__ import annotations

import os
import time

from orchestra.control.environment import for_registries
from orchestra.errors import UserError
from orchestra.model.edit import Follow
from orchestra.model.project import Chosen
from orchestra.model.request import Changes, Step, UpRequest
from orchestra.model.result import UpResult
from orchestra.record import Record, replace
from orchestra.stacks.stack_file import StackFile, concern, has_provisions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from orchestra.control.client import Client
    from orchestra.model.event import Event
    from orchestra.model.reviewed import ReviewedPlan
    from orchestra.stacks.context import Context
    from orchestra.stacks.stack_file import Prepared

    class Witness(Protocol):
        """Is told what happens, beside the user."""

        def hear(self, event: Event) -> None: ...

        def settle(self, result: UpResult) -> None:
            """Everything is running, or cannot run."""


class UpOptions(Record):
    """wait: until services are running or healthy, for at most ``wait_timeout`` seconds. follow: do the same after each
    change of the files; builds: and build images that are missing then. beside: files that are followed stay so.
    """

    chosen: Chosen = Chosen()
    changes: Changes = Changes()
    wait: bool = False
    wait_timeout: float | None = None
    follow: bool = False
    builds: bool = True
    beside: bool = False


class Beginning(Record):
    """A load, and a client whose supervisor is already starting: both take about the same time.

    reviewed: the plan that the load comes from, and the only thing to be done. loaded: what the
    load says is desired, before programs have added variables to it.
    """

    prepared: Prepared
    client: Client
    context: Context
    reviewed: ReviewedPlan | None = None
    loaded: bytes = b""
    steps: tuple[Step, ...] = ()
    witness: Witness | None = None

    def with_step(self, what: str, began: float) -> Beginning:
        """What the command has done since ``began`` (Unix seconds), for the timeline."""
        return replace(self, steps=(*self.steps, Step(what, began, time.time())))

    def hearing(self, hear: Callable[[Event], object]) -> Callable[[Event], None]:
        """Tells the witness, too."""
        witness = self.witness

        def tell(event: Event) -> None:
            if witness is not None:
                witness.hear(event)
            hear(event)

        return tell

    def settle(self, result: UpResult) -> None:
        if self.witness is not None:
            self.witness.settle(result)

    def request(self, options: UpOptions) -> UpRequest:
        reviewed = self.reviewed
        changes = reviewed.changes if reviewed else concern(options.changes, options.chosen, self.prepared)
        environment = for_registries(self.context.environment)
        at = time.time()
        return UpRequest(
            changes,
            environment,
            options.wait,
            options.wait_timeout,
            asked_at=at,
            author=self.context.author,
            reviewed=reviewed.actions if reviewed else None,
            follow=self._follow(options, at) if options.follow else None,
            beside=options.beside,
            steps=self.steps,
        )

    def _follow(self, options: UpOptions, at: float) -> Follow:
        from hashlib import sha256

        context = self.context
        return Follow(
            at,
            sha256(self.loaded).hexdigest(),
            context.driver,
            context.project,
            context.working_directory or os.getcwd(),
            context.environment,
            context.author,
            options.chosen,
            options.builds,
        )


def begin_up(context: Context, chosen: Chosen) -> Beginning:
    """Raises the errors of a load, and EnvironmentLack if this user may not create containers."""
    context.need_privileges()
    began = time.time()
    file = StackFile(context)
    prepared = file.recall_prepared(chosen)
    if prepared is not None:
        return _beginning(prepared, context.client(prepared.identity.stack), context, began)
    from orchestra.stacks.foresee import foresee_name

    foreseen = foresee_name(context)
    early = None if foreseen is None else context.client(foreseen)
    if early is not None:
        early.summon()
    try:
        prepared = file.prepare(chosen)
    except BaseException:
        if early is not None:
            early.dismiss()
        raise
    if early is not None and prepared.identity.stack == foreseen:
        return _beginning(prepared, early, context, began)
    if early is not None:
        early.dismiss()
    return _beginning(prepared, context.client(prepared.identity.stack), context, began)


def _beginning(prepared: Prepared, client: Client, context: Context, began: float) -> Beginning:
    return Beginning(prepared, client, context, loaded=prepared.desired).with_step("load", began)


def need_accepted(beginning: Beginning) -> None:
    """Raises UserError for files from elsewhere that the user has not accepted: they may access this machine."""
    if beginning.prepared.reach is not None:
        from orchestra.stacks.sources import reach

        try:
            reach.need_accepted(beginning.context.home.sources, beginning.prepared.reach)
        except UserError:
            beginning.client.dismiss()
            raise


def with_providers(beginning: Beginning, say: Callable[[str], None]) -> Beginning:
    """Run providers and models, and add their variables; this may take long. Raises UserError."""
    if not has_provisions(beginning.prepared):
        return beginning
    need_accepted(beginning)
    began = time.time()
    from orchestra.stacks.provided import provide

    try:
        prepared = provide(beginning.context, beginning.prepared, say)
        return replace(beginning, prepared=prepared).with_step("provide", began)
    except BaseException:
        beginning.client.dismiss()
        raise


def up(
    beginning: Beginning,
    options: UpOptions,
    hear: Callable[[Event], None] | None = None,
    *,
    stop: int | None = None,
) -> UpResult:
    """Return when everything is running, or cannot run. Raises UserError, as ``need_accepted``.

    stop: a descriptor; once it is readable, this raises GivenUp. What was asked for by then goes on.
    """
    need_accepted(beginning)
    if b'"external":true' in beginning.prepared.desired:
        from orchestra.stacks.standalone_network import revive_networks

        revive_networks(beginning.context, beginning.prepared.desired)
    hearing = None if hear is None else beginning.hearing(hear)
    request, desired = beginning.request(options), beginning.prepared.desired
    result = beginning.client.ask(UpResult, request, hearing, desired=desired, stop=stop)
    beginning.settle(result)
    return result
