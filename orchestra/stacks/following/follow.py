"""Loads the files of a followed stack when they change, and hands what they say to the supervisor, as ``up`` does."""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from contextlib import ExitStack
from functools import partial

from orchestra.control.environment import for_registries
from orchestra.control.following import load_following
from orchestra.errors import FileError, OrchestraError, UserError
from orchestra.model.edit import Edit, Follow
from orchestra.model.location import Location
from orchestra.model.request import EditRequest, UpRequest
from orchestra.model.result import EditResult, UpResult
from orchestra.model.revision import Author
from orchestra.record import replace
from orchestra.stacks.context import Context
from orchestra.stacks.following.watch import Watch
from orchestra.stacks.stack_file import StackFile, concern, has_provisions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.control.client import Client
    from orchestra.home import Home
    from orchestra.model.following import Following
    from orchestra.stacks.stack_file import Prepared


def follow(home: Home, stack: str, driver: str, end: int) -> None:
    """Until the stack is not followed any more, or the file descriptor ``end`` is at end of file."""
    following = load_following(home.stack(stack))
    if following is None:
        return
    asked = following.follow
    context = Context(home, driver, asked.project, asked.environment, asked.working_directory)
    looker = Looker(context, context.client(stack), following, stack)
    paths: frozenset[str] = frozenset()
    while True:
        with ExitStack() as watches:
            watch = watches.enter_context(Watch(paths))
            # What is looked at for the first time is watched, and then looked at once more.
            while not (found := looker.look()) <= watch.paths:
                watch = watches.enter_context(Watch(found | watch.paths))
            if not watch.wait(end):
                return
        paths = found


class Looker:
    """Remembers what the supervisor knows already."""

    def __init__(self, context: Context, client: Client, following: Following, stack: str) -> None:
        self._context = context
        self._client = client
        self._stack = stack
        self._follow = following.follow
        self._changes = following.changes
        self._error = following.edit.place + following.edit.error if following.edit else ""

    def look(self) -> frozenset[str]:
        """Load the files, and act on what is new; return the paths that were read or looked for."""
        paths: set[str] = set()
        at = time.time()
        try:
            prepared, digest = self._load(paths)
        except (OrchestraError, OSError) as error:
            self._follow = replace(self._follow, edits=self._follow.edits + 1)
            self._note(self._follow, describe(error, at))
            return frozenset(paths)
        if digest != self._follow.digest:
            self._follow, self._error = replace(self._follow, digest=digest, edits=self._follow.edits + 1), ""
            self._up(prepared, self._follow, at)
        elif self._error:
            self._note(self._follow, Edit(at))
        return frozenset(paths)

    def _load(self, paths: set[str]) -> tuple[Prepared, str]:
        """What is new is complete; beside it, the digest of what the files say.

        Raises what ``up`` raises for a file that it refuses, and UserError if it is the file of another stack.
        """
        prepared = StackFile(self._context, paths.add).prepare(self._follow.chosen)
        if prepared.identity.stack != self._stack:
            raise UserError(
                f"the file is now that of stack {prepared.identity.stack}, not of {self._stack}",
                hint=f"run orchestra -p {self._stack} down, then orchestra up -d --follow",
            )
        if prepared.reach is not None:
            from orchestra.stacks.sources.reach import is_accepted

            if not is_accepted(self._context.home.sources, prepared.reach):
                hint = "run orchestra up -d --follow to look at them and accept them"
                raise UserError("it has files from elsewhere that were not accepted yet", hint=hint)
        digest = hashlib.sha256(prepared.desired).hexdigest()
        if digest != self._follow.digest:
            self._build(prepared)
            if has_provisions(prepared):
                from orchestra.stacks.provided import provide

                prepared = provide(self._context, prepared, partial(print, file=sys.stderr, flush=True))
        return prepared, digest

    def _build(self, prepared: Prepared) -> None:
        if not prepared.built or not self._follow.builds:
            return
        from orchestra.stacks.built import services_to_build

        services = services_to_build(self._context, prepared, always=False)
        if services:
            from orchestra.stacks.build import build
            from orchestra.stacks.build_choice import BuildOptions, choose_builds

            build(self._context, choose_builds(self._context, BuildOptions(services)), lambda _name, _event: None)

    def _up(self, prepared: Prepared, follow: Follow, at: float) -> None:
        """Ask, and do not wait for the answer: a dependency may never become healthy."""
        request = UpRequest(
            concern(self._changes, follow.chosen, prepared),
            for_registries(follow.environment),
            asked_at=at,
            author=Author(follow.author.user, "edit"),
            follow=follow,
            edit=True,
        )

        def ask() -> None:
            try:
                self._client_again().ask(UpResult, request, desired=prepared.desired)
            except OrchestraError as error:
                self._note(follow, describe(error, at))

        threading.Thread(target=ask, name="up", daemon=True).start()

    def _note(self, follow: Follow, edit: Edit) -> None:
        told = edit.place + edit.error
        if told != self._error or not told:
            self._error = told
            try:
                self._client_again().ask_if_running(EditResult, EditRequest(follow, edit))
            except OrchestraError as problem:  # it is not followed any more, and this process is about to be ended
                print(problem, file=sys.stderr, flush=True)

    def _client_again(self) -> Client:
        return self._context.client(self._stack)


def describe(error: OrchestraError | OSError, at: float) -> Edit:
    """The first problem, and how many there are besides."""
    if isinstance(error, FileError):
        first = error.diagnostics[0]
        span, more = first.span, len(error.diagnostics) - 1
        place = Location(span.path, span.line, span.column) if span else None
        return Edit(at, f"{first.message}{f' (and {more} more)' if more else ''}", first.hint, place)
    if isinstance(error, OrchestraError):
        return Edit(at, error.message, error.hint)
    return Edit(at, str(error))
