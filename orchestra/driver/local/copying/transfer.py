"""From the host into containers, and from a container to the host."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from orchestra.driver.local.copying.archive import Output, read_archive, write_archive
from orchestra.driver.local.copying.owners import owners_of
from orchestra.driver.local.copying.place import Host, Inside, find_destination, find_directory, find_origin
from orchestra.driver.local.copying.reading import Reader
from orchestra.driver.local.copying.root import opened_root
from orchestra.driver.local.copying.writing import Ownership, Writer, write
from orchestra.record import Record

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Mapping

    from orchestra.driver.local.copying.owners import Owners
    from orchestra.driver.local.copying.place import Destination, Origin


class Rules(Record):
    """archive: copy owners. follow_link: copy what a link at the source's path leads to.

    directory: what relative paths on the host are relative to.
    """

    archive: bool
    follow_link: bool
    directory: str


def copy_in(
    containers: Mapping[str, str],
    source: str | io.BufferedReader,
    path: str,
    rules: Rules,
    warn: Callable[[str], None],
) -> None:
    """A path of the host, or an archive, into each container. containers: their directories by name.

    Everything is checked before anything is written, as far as possible. Raises UserError or FatalError.
    """
    with contextlib.ExitStack() as stack:
        worlds = [_inside(name, directory, stack) for name, directory in containers.items()]
        ownership = Ownership(kept=rules.archive, trusted=isinstance(source, str))
        if not isinstance(source, str):
            found = [find_directory(world, path) for world in worlds]
            write(read_archive(source, "the archive"), [_opened(one, ownership, warn, stack) for one in found])
            return
        origin = _opened_origin(find_origin(Host(rules.directory), source, follow=rules.follow_link), stack)
        found = [find_destination(world, path, origin) for world in worlds]
        _write(origin, found, [_opened(one, ownership, warn, stack) for one in found])


def copy_out(
    container: str, directory: str, path: str, target: str | Output, rules: Rules, warn: Callable[[str], None]
) -> None:
    """A path of a container to a path of the host, or as an archive. Raises UserError."""
    with contextlib.ExitStack() as stack:
        world = _inside(container, directory, stack)
        origin = _opened_origin(find_origin(world, path, follow=rules.follow_link), stack)
        if isinstance(target, str):
            _copy_to_host(origin, target, rules, warn, stack, world.owners)
        else:
            write_archive(Reader(origin.fd, owners=world.owners).walk(), target, _top(origin))


def copy_on_host(source: str, target: str, rules: Rules, warn: Callable[[str], None], *, origin: str) -> None:
    """A path below ``origin``, to which something was copied out of a container, to its place. Raises UserError."""
    with contextlib.ExitStack() as stack:
        found = _opened_origin(find_origin(Host(origin), source, follow=False), stack)
        _copy_to_host(found, target, rules, warn, stack)


def pack(path: str, rules: Rules, output: Output) -> None:
    """A path of the host as an archive. Raises UserError."""
    with contextlib.ExitStack() as stack:
        origin = _opened_origin(find_origin(Host(rules.directory), path, follow=rules.follow_link), stack)
        write_archive(Reader(origin.fd).walk(), output, _top(origin))


def export_root(directory: str, output: Output) -> None:
    """The container's own file system as an archive. What is mounted in it is left out."""
    with opened_root(directory, bare=True) as root:
        write_archive(Reader(root, owners=owners_of(directory)).walk(), output, "")


def _inside(name: str, directory: str, stack: contextlib.ExitStack) -> Inside:
    return Inside(stack.enter_context(opened_root(directory)), name, owners_of(directory))


def _copy_to_host(
    origin: Origin,
    target: str,
    rules: Rules,
    warn: Callable[[str], None],
    stack: contextlib.ExitStack,
    owners: Owners | None = None,
) -> None:
    """owners: as of ``_write``."""
    found = find_destination(Host(rules.directory), target, origin)
    ownership = Ownership(kept=rules.archive, trusted=False, uid=os.geteuid(), gid=os.getegid())
    _write(origin, [found], [_opened(found, ownership, warn, stack)], owners)


def _top(origin: Origin) -> str:
    """The name in an archive."""
    return "." if origin.only_content else origin.name


def _write(
    origin: Origin, destinations: list[Destination], writers: list[Writer], owners: Owners | None = None
) -> None:
    """owners: of the container that the origin is in."""
    there = [writer for writer, found in zip(writers, destinations, strict=True) if found.exists]
    if there:
        for entry, _ in Reader(origin.fd, with_content=False).walk():
            for writer in there:
                writer.check(entry)
    write(Reader(origin.fd, owners=owners).walk(), writers)


def _opened(
    destination: Destination, ownership: Ownership, warn: Callable[[str], None], stack: contextlib.ExitStack
) -> Writer:
    writer = Writer(destination, ownership, warn)
    stack.callback(writer.close)
    return writer


def _opened_origin(origin: Origin, stack: contextlib.ExitStack) -> Origin:
    stack.callback(os.close, origin.fd)
    return origin
