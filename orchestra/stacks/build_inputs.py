"""What a build is given: the directories of its contexts, its Dockerfile, secrets and agents. Effects only."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import NamedTuple

from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator, Mapping

    from orchestra.build.ignore import Ignore
    from orchestra.model.build import BuildSecret
    from orchestra.stacks.context import Context

GIT_HOSTS = ("github.com/",)


class ContextDirectory(NamedTuple):
    """path: absolute. name: for messages."""

    path: str
    name: str


class Recipe(NamedTuple):
    """A Dockerfile. name: its path for messages. ignore: what of the main context is not for it."""

    text: str
    name: str
    ignore: Ignore


@contextlib.contextmanager
def opened_context(context: Context, text: str, stdin: io.BufferedReader | None) -> Iterator[ContextDirectory]:
    """text: a directory, the URL of a Git repository, a tar archive, or - for one on standard input.

    Raises UserError.
    """
    if text == "-":
        if stdin is None:
            raise UserError("the context - is standard input, which this command does not read")
        with _unpacked(context, stdin, "standard input") as path:
            yield ContextDirectory(path, "the context")
        return
    if is_git(text):
        yield ContextDirectory(_checked_out(context, text), text)
        return
    if os.path.isdir(text):
        yield ContextDirectory(os.path.abspath(text), "the context")
        return
    if os.path.isfile(text):
        with open(text, "rb") as archive, _unpacked(context, archive, text) as path:
            yield ContextDirectory(path, text)
        return
    raise UserError(f"the context {text} does not exist", hint="give a directory, a tar archive or a Git repository")


def is_git(text: str) -> bool:
    """Whether Docker takes this for a Git repository (docs.docker.com/build/concepts/context, "Git repositories")."""
    plain = text.partition("#")[0]
    if plain.startswith(("git://", "ssh://", "git@", *GIT_HOSTS)):
        return True
    return plain.startswith(("https://", "http://")) and plain.endswith(".git")


def _checked_out(context: Context, text: str) -> str:
    from orchestra.driver.local.build.kept import USED, note_use
    from orchestra.stacks.sources.copies import Copies
    from orchestra.stacks.sources.git import fetch_commit
    from orchestra.stacks.sources.reference import GitSource, parse_source

    source = parse_source(text)
    if not isinstance(source, GitSource):
        raise UserError(f"the context {text} is not a Git repository")
    copies = f"{context.home.builds}/contexts"
    found = fetch_commit(source, Copies(copies), context.environment).folder
    # The directory of its commit: git/URL/COMMIT below the copies.
    kept = os.path.join(copies, *os.path.relpath(found, copies).split("/")[:3])
    note_use(kept, changed=not os.path.exists(f"{kept}{USED}"))
    folder = os.path.realpath(found)
    path = os.path.realpath(os.path.join(folder, source.path))
    if path != folder and not path.startswith(f"{folder}/"):
        raise UserError(f"the context {text} leads out of its repository")
    return path


@contextlib.contextmanager
def _unpacked(context: Context, archive: io.BufferedReader, name: str) -> Iterator[str]:
    from orchestra.driver.local.build.upkeep import UNPACKED
    from orchestra.driver.local.copying.archive import read_archive
    from orchestra.driver.local.copying.place import Destination, Inside
    from orchestra.driver.local.copying.writing import Ownership, Writer, write
    from orchestra.linux import private_files

    private_files.make_directories(context.home.builds)
    with tempfile.TemporaryDirectory(prefix=UNPACKED, dir=context.home.builds) as path:
        root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            writer = Writer(Destination(Inside(root, name), "/", "", True), Ownership(True, True), lambda _: None)
            try:
                write(read_archive(archive, name), [writer])
            finally:
                writer.close()
        finally:
            os.close(root)
        yield path


def read_recipe(directory: str, dockerfile: str, inline: str | None, *, stdin: io.BufferedReader | None) -> Recipe:
    """dockerfile: relative to the context; - for standard input. Raises UserError or DockerfileError."""
    from orchestra.build.ignore import Ignore, parse_ignore

    if inline is not None:
        text, name, path = inline, "dockerfile_inline", None
    elif dockerfile == "-":
        if stdin is None:
            raise UserError("the Dockerfile - is standard input, which this command does not read")
        text, name, path = stdin.read().decode(errors="replace"), "standard input", None
    else:
        path = name = os.path.normpath(os.path.join(directory, dockerfile))
        text = _read(path)
    own = f"{path}.dockerignore" if path else ""
    for candidate in (own, os.path.join(directory, ".dockerignore")):
        if candidate and os.path.isfile(candidate):
            return Recipe(text, name, parse_ignore(_read(candidate), candidate))
    return Recipe(text, name, Ignore())


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except OSError as error:
        hint = "write one, or name it with `dockerfile` or --file"
        raise UserError(f"the Dockerfile {path} cannot be read: {error.strerror}", hint=hint) from error


def read_secrets(secrets: Iterable[BuildSecret], environment: Mapping[str, str]) -> dict[str, bytes]:
    """Contents by identifier. Raises UserError."""
    found: dict[str, bytes] = {}
    for secret in secrets:
        if secret.content is not None:
            found[secret.identifier] = secret.content.encode()
        elif secret.environment is not None:
            value = environment.get(secret.environment)
            if value is None:
                raise UserError(f"secret {secret.identifier}: the variable {secret.environment} is not set")
            found[secret.identifier] = value.encode(errors="surrogateescape")
        elif secret.file is not None:
            try:
                with open(secret.file, "rb") as file:
                    found[secret.identifier] = file.read()
            except OSError as error:
                raise UserError(f"secret {secret.identifier}: {secret.file}: {error.strerror}") from error
    return found


def find_agents(entries: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Sockets of SSH agents, by identifier. entries: ``default``, ``ID`` or ``ID=SOCKET``. Raises UserError."""
    found: dict[str, str] = {}
    for entry in entries:
        identifier, _, path = entry.partition("=")
        path = path or environment.get("SSH_AUTH_SOCK", "")
        if not path:
            hint = "start ssh-agent, or give the path of its socket"
            raise UserError(f"ssh {entry}: SSH_AUTH_SOCK is not set", hint=hint)
        found[identifier] = path
    return found
