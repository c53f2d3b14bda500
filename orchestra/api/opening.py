"""``orchestra.up``: brings a stack up for the time of a ``with`` or ``async with`` statement."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestra.api.stack import RunningStack
from orchestra.model.project import Chosen, Project
from orchestra.model.request import Changes
from orchestra.record import Record, replace
from orchestra.stacks.containers import Known
from orchestra.stacks.context import Context
from orchestra.stacks.stack_file import StackFile
from orchestra.stacks.up import Beginning, UpOptions, begin_up, need_accepted, with_providers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from orchestra.api.asynchronous import AsyncOpening, AsyncRunningStack


class Ending(Record):
    """What is left at the end. timeout: seconds until containers are killed; None for the file's."""

    keep: bool = False
    remove_volumes: bool = False
    timeout: float | None = None


class Opening:
    """A stack that is up between the beginning and the end of a ``with`` statement.

    ``with`` gives a ``RunningStack``, ``async with`` an ``AsyncRunningStack``.
    """

    def __init__(self, context: Context, options: UpOptions, ending: Ending, *, unique: bool, build: bool) -> None:
        self._context = context
        self._options = options
        self._ending = ending
        self._unique = unique
        self._build = build
        self._stack: RunningStack | None = None
        self._asynchronous: AsyncOpening | None = None

    def __enter__(self) -> RunningStack:
        return self.open()

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> AsyncRunningStack:
        from orchestra.api.asynchronous import AsyncOpening

        self._asynchronous = AsyncOpening(self)
        return await self._asynchronous.open()

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._asynchronous is not None:
            await self._asynchronous.close()

    def open(self, stop: int | None = None) -> RunningStack:
        """stop: a descriptor; once it is readable, this raises GivenUp.

        If this raises, the stack is taken down, unless it is kept: here, after all that was asked for, so that nothing
        comes up afterwards.
        """
        context = self._named() if self._unique else self._context
        beginning = _begin(context, self._options.chosen, build=self._build)
        identity = beginning.prepared.identity
        known = Known(identity.stack, identity.services)
        self._stack = stack = RunningStack(context, known, self._options.chosen, beginning.prepared.notes)
        try:
            stack._bring_up(beginning, self._options, stop)
        except BaseException:
            if not beginning.client.dismiss():
                self._close(stack._take_down)
            raise
        return stack

    def close(self) -> None:
        """A second call does nothing. Raises StackError if something cannot be removed."""
        if self._stack is not None:
            self._close(self._stack.down)

    def _close(self, down: Callable[..., None]) -> None:
        stack, ending = self._stack, self._ending
        if stack is None or ending.keep:
            return
        down(remove_volumes=ending.remove_volumes, timeout=ending.timeout)
        if self._unique:
            stack._forget()
        self._stack = None

    def _named(self) -> Context:
        """With a name that no other stack has."""
        from secrets import token_hex

        context = self._context
        name = context.project.name or StackFile(context).identify().stack
        return replace(context, project=replace(context.project, name=f"{name}-{token_hex(4)}"))


def up(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    *,
    services: Iterable[str] = (),
    profiles: Iterable[str] = (),
    variables: Mapping[str, str] | None = None,
    name: str | None = None,
    directory: str | os.PathLike[str] | None = None,
    unique: bool = False,
    automatic_ports: bool | None = None,
    scale: Mapping[str, int] | None = None,
    build: bool = False,
    wait: bool = True,
    timeout: float | None = None,
    keep: bool = False,
    remove_volumes: bool | None = None,
    stop_timeout: float | None = None,
    driver: str = "local",
) -> Opening:
    """Bring a stack up for the time of a ``with`` or ``async with`` statement.

    - ``paths``, ``profiles``, ``name``, ``directory``: as for ``load``.
    - ``services``: only these and what they depend on. ``scale``: the number of containers of services.
    - ``variables``: for the files, in addition to those of this process.
    - ``unique``: put something at random behind the name, so that several copies of a stack run side by side.
    - ``automatic_ports``: publish at other ports where those of the file are in use. None: if ``unique``.
    - ``build``: build images even if they exist; those that are missing are always built.
    - ``wait``: until services run, and those with a health check are healthy; for at most ``timeout`` seconds.
    - ``keep``: leave the stack running at the end. ``remove_volumes``: remove those that the file declares with the
      stack; None: if ``unique``. ``stop_timeout``: seconds until containers are killed, instead of the file's.
    - ``driver``: ``local`` for containers, ``fake`` for a stack in memory that has no logs and runs no commands.

    Nothing happens before the ``with`` statement, which raises what ``load`` raises, UpError if the stack does not come
    up (then it is taken down, unless kept), and EnvironmentLack if this user may not.
    """
    from orchestra.home import find_home

    files = (paths,) if isinstance(paths, (str, os.PathLike)) else tuple(paths)
    project = Project(
        files=tuple(os.fspath(path) for path in files),
        directory=None if directory is None else os.fspath(directory),
        name=name,
        profiles=tuple(profiles),
    )
    context = Context(
        find_home(os.environ, os.getuid()),
        driver,
        project,
        {**os.environ, **(variables or {})},
        working_directory=os.getcwd(),
        command="orchestra.up",
    )
    chosen = Chosen(
        tuple(services), scale=dict(scale or {}), automatic_ports=unique if automatic_ports is None else automatic_ports
    )
    ending = Ending(keep, unique if remove_volumes is None else remove_volumes, stop_timeout)
    return Opening(context, UpOptions(chosen, Changes(), wait, timeout), ending, unique=unique, build=build)


def _begin(context: Context, chosen: Chosen, *, build: bool) -> Beginning:
    """What ``orchestra up`` does before it asks the supervisor."""
    beginning = begin_up(context, chosen)
    try:
        need_accepted(beginning)
        if beginning.prepared.built:
            _build(beginning, always=build)
    except BaseException:
        beginning.client.dismiss()
        raise
    return with_providers(beginning, lambda _said: None)


def _build(beginning: Beginning, *, always: bool) -> None:
    from orchestra.stacks.built import services_to_build

    services = services_to_build(beginning.context, beginning.prepared, always=always)
    if services:
        from orchestra.stacks.build import build
        from orchestra.stacks.build_choice import BuildOptions, choose_builds

        build(beginning.context, choose_builds(beginning.context, BuildOptions(services)), lambda _name, _event: None)
