"""``cp``: copies files and directories into containers, and out of one. Standard library only."""

from __future__ import annotations

import os

from orchestra.driver import Part
from orchestra.errors import UserError
from orchestra.record import Record
from orchestra.ssh.caller import caller
from orchestra.stacks.containers import Seen, ignore
from orchestra.stacks.replicas import find_replicas

TYPE_CHECKING = False
if TYPE_CHECKING:
    import io
    from collections.abc import Callable

    from orchestra.driver.local.copying.archive import Output
    from orchestra.home import StackHome
    from orchestra.stacks.context import Context

STREAM = "-"


class CopyOptions(Record):
    """source and destination: ``SERVICE:PATH`` or a path of the host, or ``-`` for an archive.

    replica: the index of one container; without it, files are copied to all of the service's, or from the first
    one.
    everything: include containers of one-off commands. archive: copy owners. follow_link: follow a link at the
    end of the source's path.
    """

    source: str
    destination: str
    replica: int | None = None
    everything: bool = False
    archive: bool = False
    follow_link: bool = False


class Copied(Record):
    """Source and destination as the user wrote them, with the container's name in place of the service's."""

    container: str
    source: str
    destination: str


class Transfer(Record):
    """What is to be copied. inward: into the containers, else out of the one. within, outside: its paths."""

    home: StackHome
    inward: bool
    containers: tuple[str, ...]
    within: str
    outside: str

    @property
    def copies(self) -> list[Copied]:
        if self.inward:
            return [Copied(name, self.outside, f"{name}:{self.within}") for name in self.containers]
        return [Copied(name, f"{name}:{self.within}", self.outside) for name in self.containers]


def copy(
    context: Context,
    options: CopyOptions,
    *,
    stdin: Callable[[], io.BufferedReader],
    stdout: Callable[[], Output],
    warn: Callable[[str], None],
    tell: Callable[[Seen], None] = ignore,
) -> list[Copied]:
    """stdin, stdout: called when an archive is to be read or written. warn: called for everything that is left out.

    Raises UserError if something cannot be copied, if possible before anything is written.
    """
    transfer = find_transfer(context, options, tell)
    from orchestra.driver.local.copying.transfer import Rules, copy_in, copy_out

    rules = Rules(options.archive, options.follow_link, context.working_directory or os.getcwd())
    directories = {name: transfer.home.container(name) for name in transfer.containers}
    if transfer.inward:
        asking = caller()
        if asking is not None and transfer.outside != STREAM:
            from orchestra.stacks.taking import copy_from_caller

            copy_from_caller(asking, directories, transfer.outside, transfer.within, rules, warn)
            return transfer.copies
        source = stdin() if transfer.outside == STREAM else transfer.outside
        copy_in(directories, source, transfer.within, rules, warn)
    else:
        to = stdout() if transfer.outside == STREAM else transfer.outside
        (name,) = transfer.containers
        copy_out(name, directories[name], transfer.within, to, rules, warn)
    return transfer.copies


def find_transfer(context: Context, options: CopyOptions, tell: Callable[[Seen], None] = ignore) -> Transfer:
    """What ``copy`` would copy. Raises UserError."""
    origin, target = split(options.source), split(options.destination)
    if origin[0] is not None and target[0] is not None:
        raise UserError("cp copies between the host and a service, not between services", hint="copy to the host first")
    service = target[0] if origin[0] is None else origin[0]
    if service is None:
        raise UserError("neither path is in a service", hint="write one of them as SERVICE:PATH")
    inside = target if origin[0] is None else origin
    if not service or not inside[1]:
        raise UserError(f"{service}:{inside[1]} is not SERVICE:PATH", hint="name a service and a path, as in web:/etc")
    context.need_privileges()
    context.need(Part.COPY)
    home, containers = find_replicas(context, service, options.replica, tell, one_offs=options.everything)
    inward = inside is target
    names = tuple(container.name for container in (containers if inward else containers[:1]))
    return Transfer(home, inward, names, inside[1], origin[1] if inward else target[1])


def split(argument: str) -> tuple[str | None, str]:
    """Service and path; None for a path of the host, which is absolute, begins with a dot, or has no colon."""
    service, colon, path = argument.partition(":")
    if argument.startswith(("/", ".")) or not colon:
        return None, argument
    return service, path
