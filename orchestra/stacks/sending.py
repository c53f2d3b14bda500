"""What a command on another machine needs of this one: files and variables of a load, and directories of builds."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile

from orchestra.errors import OrchestraError, UserError
from orchestra.model.project import Chosen
from orchestra.record import Record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from orchestra.model.build import BuildSpec
    from orchestra.stacks.context import Context

_MOST = 4 * 1024 * 1024
_MOST_OF_ALL = 40 * 1024 * 1024
STANDARD_INPUT = "-"


class Luggage(Record):
    """files: contents by path, None for one that does not exist. variables: of this process's environment."""

    files: dict[str, bytes | None]
    variables: dict[str, str]


class _Noting(dict[str, str]):
    """An environment that notes which of its variables are used."""

    def __init__(self, environment: dict[str, str]) -> None:
        super().__init__(environment)
        self.used: dict[str, str] = {}

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        if name in self:
            self.used[name] = self[name]
        return super().get(name, default)


def pack_luggage(context: Context, services: Sequence[str] = (), more_files: Sequence[str] = ()) -> Luggage:
    """What a load reads and looks for, for all services and for the named ones; mistakes are left for the other side.

    Raises UserError if it is too much.
    """
    from orchestra.compose import load
    from orchestra.compose.cdi import DIRECTORIES
    from orchestra.stacks.stack_file import StackFile

    files: dict[str, bytes | None] = {}
    if _reads_standard_input(context):
        files[STANDARD_INPUT] = sys.stdin.buffer.read(_MOST + 1)
    local = replace(context, files=files, may_fetch=False)
    variables = _Noting(dict(context.environment))
    noted: dict[str, None] = dict.fromkeys(more_files)

    def note(path: str) -> None:
        noted[path] = None

    for chosen in (Chosen(), *((Chosen(tuple(services)),) if services else ())):
        request = StackFile(local, note).load_request(chosen)
        with contextlib.suppress(OrchestraError, OSError):
            load(replace(request, environment=variables))
    for path in noted:
        if path not in files and not path.startswith(DIRECTORIES):
            files[path] = _read(path)
    if sum(len(content or b"") for content in files.values()) > _MOST_OF_ALL:
        raise UserError("the files of this stack are larger than 40 MiB together", hint="mount large ones as a volume")
    return Luggage(files, variables.used)


def _reads_standard_input(context: Context) -> bool:
    listed = context.environment.get("COMPOSE_FILE", "").split(":")
    return STANDARD_INPUT in (context.project.files or listed)


def _read(path: str) -> bytes | None:
    """None for what is not a regular file, or is too large: the load reports it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        return file.read() if stat.S_ISREG(state.st_mode) and state.st_size <= _MOST else None


class Stock:
    """What may be sent when the other side asks for it: only what the command line or the Compose file names."""

    def __init__(self, context: Context, services: Sequence[str], named: Sequence[str] = ()) -> None:
        """named: paths on the command line."""
        self._context = context
        self._services = services
        self._named = frozenset(named)

    def open(self, path: str) -> BinaryIO:
        """A file as it is, a directory as an archive without what its ``.dockerignore`` leaves out.

        Raises UserError for what is not named, and for what cannot be read.
        """
        recipes = {} if path in self._named else self._contexts()
        if path not in self._named and path not in recipes:
            raise UserError(f"the other machine asks for {path}, which neither the command line nor the file names")
        try:
            if not os.path.isdir(path):
                return open(path, "rb")
            return _archive(path, recipes.get(path, ""))
        except OSError as error:
            raise UserError(f"{path} cannot be sent: {error.strerror}") from error

    def _contexts(self) -> dict[str, str]:
        """The paths that builds are made from, with the Dockerfile of a main context."""
        from orchestra.stacks.build_choice import builds_of

        found: dict[str, str] = {}
        specs: list[BuildSpec] = list(builds_of(self._context).values())
        if self._services:
            specs += builds_of(self._context, self._services).values()
        for spec in specs:
            dockerfile = spec.dockerfile or "Dockerfile"
            found[spec.context] = "" if spec.dockerfile_inline else dockerfile
            found[os.path.normpath(os.path.join(spec.context, dockerfile))] = ""
            found |= dict.fromkeys((path for path in spec.contexts.values() if path not in found), "")
        return found


def _archive(directory: str, dockerfile: str) -> BinaryIO:
    from orchestra.build.ignore import Ignore
    from orchestra.driver.local.copying.archive import write_archive
    from orchestra.driver.local.copying.reading import Reader
    from orchestra.stacks.build_inputs import read_recipe

    ignore, kept = Ignore(), frozenset({".dockerignore"})
    if dockerfile:
        ignore = read_recipe(directory, dockerfile, None, stdin=None).ignore
        name = os.path.normpath(dockerfile)
        kept |= {name, f"{name}.dockerignore"}

    def is_left_out(path: str, _kind: bytes) -> bool:
        if path in kept or any(each.startswith(f"{path}/") for each in kept):
            return False
        return ignore.is_ignored(path) and not ignore.may_contain(path)

    with _spooled() as archive:
        top = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            write_archive(Reader(top, leave_out=is_left_out).walk(), archive, ".")
        finally:
            os.close(top)
    return archive


def pack_copy(context: Context, path: str, *, follow: bool) -> BinaryIO:
    """For ``cp``: a path of this machine as an archive. Raises UserError."""
    from orchestra.driver.local.copying.transfer import Rules, pack

    with _spooled() as archive:
        pack(path, Rules(True, follow, context.working_directory or os.getcwd()), archive)
    return archive


@contextlib.contextmanager
def _spooled() -> Iterator[BinaryIO]:
    """A file without a name, to be read from its beginning afterwards; closed only if it could not be written."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile())
        yield file
        file.seek(0)
        stack.pop_all()


def copy_out_here(
    context: Context, archive: BinaryIO, source: str, target: str, warn: Callable[[str], None], *, owners: bool
) -> None:
    """For ``cp``: what ``source`` names in a container elsewhere, to a path of this machine. Raises UserError."""
    from orchestra.driver.local.copying.transfer import Rules
    from orchestra.stacks.taking import copy_here

    with open(archive.fileno(), "rb", closefd=False) as stream:
        copy_here(stream, source, target, Rules(owners, False, context.working_directory or os.getcwd()), warn)
