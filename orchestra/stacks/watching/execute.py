"""Runs the command of a rule in a container, through the use case of ``exec``."""

from __future__ import annotations

import os
import select
from contextlib import ExitStack

from orchestra.stacks.exec import ExecOptions, find_target
from orchestra.stacks.watching.events import Executed, Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestra.model.observed import Container
    from orchestra.model.watch import WatchCommand
    from orchestra.shim.client import Entering, Execution
    from orchestra.stacks.context import Context
    from orchestra.stacks.watching.events import WatchEvent


def execute(context: Context, container: Container, command: WatchCommand, tell: Callable[[WatchEvent], None]) -> None:
    """Return when it has ended; its output is told line by line. Raises OrchestraError or OSError."""
    options = ExecOptions(
        service=container.service,
        command=command.command,
        replica=container.index,
        user=command.user or None,
        environment=command.environment,
        working_directory=command.working_directory,
        privileged=command.privileged,
    )
    target = find_target(context, options)
    with ExitStack() as stack:
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        stack.callback(os.close, null)
        reader, writer = os.pipe2(os.O_CLOEXEC)
        stack.callback(os.close, reader)
        try:
            os.fchown(reader, target.owner, -1)
            execution = stack.enter_context(target.execute((null, writer, writer), _await))
        finally:
            os.close(writer)
        for line in _lines(reader, execution):
            tell(Output(container.name, line.decode(errors="replace")))
        tell(Executed(container.name, command.command, execution.wait()))


def _await(entering: Entering) -> None:
    poll = select.poll()
    poll.register(entering, select.POLLIN)
    poll.poll()


def _lines(reader: int, execution: Execution) -> Iterator[bytes]:
    """The output until the program ends: another that it has left behind may hold the pipe open."""
    os.set_blocking(reader, False)
    poll = select.poll()
    for source in (reader, execution):
        poll.register(source, select.POLLIN)
    rest, ended = b"", False
    while not ended:
        ended = any(fd == execution.fileno() for fd, _events in poll.poll())
        while chunk := _read(reader):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
        if chunk is not None and not ended:
            poll.unregister(reader)
            poll.poll()
            ended = True
    if rest:
        yield rest


def _read(reader: int) -> bytes | None:
    """None if there is nothing now."""
    try:
        return os.read(reader, 1 << 16)
    except BlockingIOError:
        return None
