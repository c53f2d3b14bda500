"""Which files make up the stack, its directory and name, and which variables it may use."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

from orchestra.compose.environment import Environment, decode_text, read_dotenv
from orchestra.compose.paths import is_remote
from orchestra.compose.reader import STANDARD_INPUT
from orchestra.errors import ComposeFileNotFound, Diagnostic, UserError
from orchestra.record import Record, replace
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.compose.problems import Problems
    from orchestra.compose.reader import Reader
    from orchestra.compose.request import LoadRequest

DEFAULT_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE_FILES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_NAME = regex(r"[a-z0-9][a-z0-9_-]*")
_DROPPED = regex(r"[^a-z0-9_-]")


class Project(Record):
    """files and directory are absolute; a file may be ``-``. profiles: the active ones.

    separator: between the parts of the names of containers and built images. keeps_unused: resources that no service
    uses belong to the stack too. lent: what a config or secret of an included file is made of, as the variables of that
    file say: by ``configs`` or ``secrets``, its name, and the variable.
    """

    directory: str
    files: tuple[str, ...]
    environment: Environment
    profiles: frozenset[str] = frozenset()
    separator: str = "-"
    keeps_unused: bool = False
    lent: Mapping[tuple[str, str, str], str] = {}

    def content_of(self, section: str, key: str, variable: str) -> str | None:
        """What a config or secret that names a variable is made of."""
        lent = self.lent.get((section, key, variable))
        return self.environment.lookup(variable) if lent is None else lent


def discover(request: LoadRequest, reader: Reader, problems: Problems) -> Project:
    """Find the files and read the ``.env`` files. Raises ComposeFileNotFound."""
    here = request.working_directory
    files = tuple(reader.local(_absolute(here, path)) for path in request.files)
    directory = _absolute(here, request.project_directory) if request.project_directory else None
    environment = Environment(reader, {"PWD": here}, origins={"PWD": "the working directory"})
    # What a file from elsewhere leaves open is for the one who fetches it: the .env file here comes before its own.
    first = directory or (here if request.files and is_remote(request.files[0]) else _directory_of(files, here))
    environment = _with_env_files(environment, request, first, reader, problems)
    if not files:
        files = tuple(map(reader.local, _listed(environment, here))) or _search(directory or here, reader, problems)
    found = directory or _directory_of(files, here)
    if found != first:
        environment = _with_env_files(environment, request, found, reader, problems)
    if absent := [path for path in files if reader.read(path) is None]:
        raise ComposeFileNotFound(tuple(Diagnostic("file-not-found", reader.lack(path)) for path in absent))
    # As in Compose, an empty name is a profile too, which is active if none is named.
    profiles = request.profiles or tuple((environment.lookup("COMPOSE_PROFILES") or "").split(","))
    is_compatible = request.compatibility or _is_true(environment.lookup("COMPOSE_COMPATIBILITY"))
    active = frozenset(name.strip() for name in profiles)
    return Project(found, files, environment, active, "_" if is_compatible else "-", request.all_resources)


def _is_true(value: str | None) -> bool:
    return (value or "").lower() in ("1", "true", "yes", "t", "y")


def _absolute(directory: str, path: str) -> str:
    return path if path == STANDARD_INPUT or is_remote(path) else os.path.normpath(os.path.join(directory, path))


def _directory_of(files: tuple[str, ...], otherwise: str) -> str:
    return os.path.dirname(files[0]) if files and files[0] != STANDARD_INPUT else otherwise


def _listed(environment: Environment, here: str) -> tuple[str, ...]:
    """The files that COMPOSE_FILE names."""
    value = environment.lookup("COMPOSE_FILE")
    if not value:
        return ()
    separator = environment.lookup("COMPOSE_PATH_SEPARATOR") or ":"
    return tuple(_absolute(here, path) for path in value.split(separator) if path)


def _search(start: str, reader: Reader, problems: Problems) -> tuple[str, ...]:
    """The default file here or in the nearest parent that has one, and the override file beside it."""
    directory = start
    while True:
        found = [path for name in DEFAULT_FILES if reader.read(path := os.path.join(directory, name)) is not None]
        if found:
            break
        parent = os.path.dirname(directory)
        if parent == directory:
            hint = f"create one of {', '.join(DEFAULT_FILES)}, or give a file with -f"
            raise ComposeFileNotFound(
                (
                    Diagnostic(
                        "file-not-found", f"no Compose file found in {start} or its parent directories", hint=hint
                    ),
                )
            )
        directory = parent
    if len(found) > 1:
        others = ", ".join(os.path.basename(path) for path in found[1:])
        problems.warn(
            "several-files", f"{os.path.basename(found[0])} is used; {others} in the same directory are ignored"
        )
    overrides = (os.path.join(directory, name) for name in OVERRIDE_FILES)
    override = next((path for path in overrides if reader.read(path) is not None), None)
    return (found[0], override) if override else (found[0],)


def _with_env_files(
    environment: Environment, request: LoadRequest, directory: str, reader: Reader, problems: Problems
) -> Environment:
    named = request.env_files or tuple(filter(None, (environment.lookup("COMPOSE_ENV_FILES") or "").split(",")))
    if not named:
        if _is_true(environment.lookup("COMPOSE_DISABLE_ENV_FILE")):
            return environment
        path = os.path.join(directory, ".env")
        content = reader.read(path)
        if content is None:
            return environment
        text = decode_text(path, content, problems)
        return environment.with_defaults(read_dotenv(path, text, environment, problems), path)
    for name in named:
        path = _absolute(request.working_directory, name)
        content = reader.read(path)
        if content is None:
            raise UserError(f"env file: {reader.lack(path)}", hint="check the path after --env-file")
        text = decode_text(path, content, problems)
        environment = environment.with_values(read_dotenv(path, text, environment, problems), path)
    return environment


def project_name(request: LoadRequest, project: Project, declared: str | None) -> str:
    """The project name: ``-p``, COMPOSE_PROJECT_NAME, the file's own, else that of the directory.

    The first two must be in normal form already; the others are converted to it. Raises UserError.
    """
    asked = request.project_name or project.environment.lookup("COMPOSE_PROJECT_NAME")
    if asked:
        if not _NAME.fullmatch(asked):
            raise UserError(
                f"{asked!r} is not a valid project name",
                hint="use lower-case letters, digits, - and _, beginning with a letter or digit",
            )
        return asked
    name = _DROPPED.sub("", (declared or os.path.basename(project.directory)).lower()).lstrip("_-")
    if not name:
        raise UserError("the project name must not be empty", hint="set one with -p, or with name: in the file")
    return name


def with_name(project: Project, name: str) -> Project:
    """The project with COMPOSE_PROJECT_NAME set for interpolation."""
    fixed = project.environment.with_fixed({"COMPOSE_PROJECT_NAME": name}, "the name of the stack")
    return replace(project, environment=fixed)
