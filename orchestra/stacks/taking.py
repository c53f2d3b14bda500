"""``cp`` between containers of one machine and the files of another, by way of a directory of its own."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from orchestra.driver.local.copying.archive import read_archive
from orchestra.driver.local.copying.place import Destination, Host
from orchestra.driver.local.copying.transfer import copy_in, copy_on_host
from orchestra.driver.local.copying.writing import Ownership, Writer, write
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from io import BufferedReader

    from orchestra.driver.local.copying.transfer import Rules
    from orchestra.ssh.calling import Caller


class _Unpacked(NamedTuple):
    """name: of what the archive holds, in the directory."""

    directory: str
    name: str


def copy_from_caller(
    asking: Caller, containers: Mapping[str, str], source: str, path: str, rules: Rules, warn: Callable[[str], None]
) -> None:
    """What ``source`` names on the machine of the caller, into each container. Raises UserError or FatalError."""
    with asking.open(source) as archive, _unpacked(archive, source, warn) as found:
        copy_in(containers, found.name, path, replace(rules, directory=found.directory, follow_link=False), warn)


def copy_here(archive: BufferedReader, source: str, target: str, rules: Rules, warn: Callable[[str], None]) -> None:
    """An archive of what ``source`` names in a container elsewhere, to a path of this machine. Raises UserError."""
    with _unpacked(archive, source, warn) as found:
        copy_on_host(found.name, target, rules, warn, origin=found.directory)


@contextmanager
def _unpacked(archive: BufferedReader, source: str, warn: Callable[[str], None]) -> Iterator[_Unpacked]:
    is_root = os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="orchestra-") as directory:
        ownership = Ownership(kept=is_root, trusted=True, uid=os.geteuid(), gid=os.getegid())
        writer = Writer(Destination(Host("/"), directory, "", exists=True), ownership, warn)
        try:
            write(read_archive(archive, "the archive"), [writer])
        finally:
            writer.close()
        name = os.path.basename(os.path.normpath(source))
        is_content = source.endswith("/.") or name in ("", ".", "..")
        yield _Unpacked(directory, "." if is_content else f"{name}/" if source.endswith("/") else name)
