"""What a build is given: the directories of its contexts, its Dockerfile, secrets and agents. Effects only."""

from __future__ import annotations

import contextlib
import os

from orchestra.errors import UserError
from orchestra.named_tuple import NamedTuple
from orchestra.record import Record
from orchestra.ssh.caller import caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator, Mapping

    from orchestra.build.attestation.statement import Material
    from orchestra.build.dockerfile import Dockerfile
    from orchestra.build.ignore import Ignore
    from orchestra.build.options import NamedContext, Options
    from orchestra.build.step import Graph
    from orchestra.driver.local.build.given import Directory
    from orchestra.model.build import BuildSecret, BuildSpec
    from orchestra.model.device_edits import DeviceEdits
    from orchestra.stacks.context import Context

GIT_HOSTS = ("github.com/",)
IMAGE = "docker-image://"
LAYOUT = "oci-layout://"
SERVICE = "service:"
EPOCH = "SOURCE_DATE_EPOCH"


class ContextDirectory(NamedTuple):
    """path: absolute. name: for messages. source: where it comes from, if that is not this machine."""

    path: str
    name: str
    source: Material | None = None


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
        yield _checked_out(context, text)
        return
    asking = caller()
    if asking is not None:
        with asking.open(text) as archive, _unpacked(context, archive, text) as path:
            yield ContextDirectory(path, text)
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


def _checked_out(context: Context, text: str) -> ContextDirectory:
    from orchestra.build.attestation.statement import Material
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
    return ContextDirectory(path, text, Material(text, f"sha1:{os.path.basename(kept)}"))


@contextlib.contextmanager
def _unpacked(context: Context, archive: io.BufferedReader, name: str) -> Iterator[str]:
    import tempfile

    from orchestra.driver.local.build.upkeep import TEMPORARY
    from orchestra.driver.local.copying.archive import read_archive
    from orchestra.driver.local.copying.place import Destination, Inside
    from orchestra.driver.local.copying.writing import Ownership, Writer, write
    from orchestra.linux import private_files

    private_files.make_directories(context.home.builds)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=context.home.builds) as path:
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


def read_recipe(
    directory: str, dockerfile: str, inline: str | None, *, stdin: io.BufferedReader | None, origin: str = ""
) -> Recipe:
    """dockerfile: relative to the context; - for standard input. origin: the context, if ``directory`` is a copy of it
    from another machine, where a Dockerfile beside it is, too.

    Raises UserError or DockerfileError.
    """
    from orchestra.build.ignore import Ignore, parse_ignore

    if inline is not None:
        text, name, path = inline, "dockerfile_inline", None
    elif dockerfile == "-":
        if stdin is None:
            raise UserError("the Dockerfile - is standard input, which this command does not read")
        text, name, path = stdin.read().decode(errors="replace"), "standard input", None
    else:
        path = os.path.normpath(os.path.join(directory, dockerfile))
        name = os.path.normpath(os.path.join(origin or directory, dockerfile))
        asking = caller()
        if origin and asking is not None and not path.startswith(f"{directory}/"):
            with asking.open(name) as file:
                text, path = file.read().decode("utf-8", "surrogateescape"), None
        else:
            text = _read(path, name)
    own = f"{path}.dockerignore" if path else ""
    for candidate in (own, os.path.join(directory, ".dockerignore")):
        if candidate and os.path.isfile(candidate):
            shown = os.path.join(origin, os.path.relpath(candidate, directory)) if origin else candidate
            return Recipe(text, name, parse_ignore(_read(candidate, shown), shown))
    return Recipe(text, name, Ignore())


def _read(path: str, name: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except OSError as error:
        hint = "write one, or name it with `dockerfile` or --file"
        raise UserError(f"the Dockerfile {name} cannot be read: {error.strerror}", hint=hint) from error


def read_secrets(
    secrets: Iterable[BuildSecret], environment: Mapping[str, str], files: Mapping[str, bytes | None]
) -> dict[str, bytes]:
    """Contents by identifier. files: contents instead of those of this machine, by path. Raises UserError."""
    found: dict[str, bytes] = {}
    for secret in secrets:
        if secret.content is not None:
            found[secret.identifier] = secret.content.encode()
        elif secret.environment is not None:
            value = environment.get(secret.environment)
            if value is None:
                raise UserError(f"secret {secret.identifier}: the variable {secret.environment} is not set")
            found[secret.identifier] = value.encode(errors="surrogateescape")
        elif secret.file is not None and (given := files.get(secret.file)) is not None:
            found[secret.identifier] = given
        elif secret.file is not None:
            try:
                with open(secret.file, "rb") as file:
                    found[secret.identifier] = file.read()
            except OSError as error:
                raise UserError(f"secret {secret.identifier}: {secret.file}: {error.strerror}") from error
    return found


def open_agents(entries: Iterable[str], environment: Mapping[str, str], stack: contextlib.ExitStack) -> dict[str, str]:
    """Sockets of SSH agents, by identifier, until the stack is closed. Raises UserError or EnvironmentLack.

    entries: ``default``, ``ID``, ``ID=SOCKET`` or ``ID=KEY,KEY`` with files of keys.
    """
    found: dict[str, str] = {}
    for entry in entries:
        identifier, _, text = entry.partition("=")
        paths = (text or environment.get("SSH_AUTH_SOCK", "")).split(",")
        if not paths[0]:
            hint = "start ssh-agent, or give the path of its socket, or of a key"
            raise UserError(f"ssh {entry}: SSH_AUTH_SOCK is not set", hint=hint)
        if all(map(os.path.isfile, paths)):
            from orchestra.driver.local.build.agents import agent_of_keys

            found[identifier] = stack.enter_context(agent_of_keys(identifier, paths))
        else:
            found[identifier] = paths[0]
    return found


def find_devices(graph: Graph, environment: Mapping[str, str]) -> dict[str, DeviceEdits]:
    """What the devices that commands ask for add to their containers, by name. Leaves out those that there are not."""
    from orchestra.build.step import Run

    names = {device.name for step in graph.steps if isinstance(step, Run) for device in step.devices}
    if not names:
        return {}
    from orchestra.compose.cdi import KnownDevices, merge_edits
    from orchestra.compose.reader import Reader

    known = KnownDevices(Reader(environment))
    return {name: merge_edits((name,), known) for name in sorted(names & known.devices.keys())}


class Read(Record):
    """What a build starts from. directories: of its contexts, by name, empty for the main one."""

    recipe: Recipe
    dockerfile: Dockerfile
    options: Options
    directories: Mapping[str, Directory]


def read_build(
    context: Context,
    spec: BuildSpec,
    images: Mapping[str, str],
    stdin: io.BufferedReader | None,
    stack: contextlib.ExitStack,
) -> Read:
    """For its first platform. images: of other services. stack: until it is closed, what was fetched is there.

    Raises DockerfileError or UserError.
    """
    from orchestra.build.dockerfile import parse_dockerfile
    from orchestra.build.options import Options
    from orchestra.driver.local.build.given import Directory

    main = stack.enter_context(opened_context(context, spec.context, stdin))
    origin = spec.context if caller() is not None and os.path.isabs(spec.context) else ""
    recipe = read_recipe(main.path, spec.dockerfile or "Dockerfile", spec.dockerfile_inline, stdin=stdin, origin=origin)
    dockerfile = parse_dockerfile(recipe.text, recipe.name)
    directories = {"": Directory(main.path, main.name, recipe.ignore, main.source)}
    contexts = {
        name: _named_context(context, name, text, images, directories, stack) for name, text in spec.contexts.items()
    }
    options = Options(
        platform=platforms_of(spec)[0],
        build_platform=host_platform(),
        target=spec.target,
        arguments=_arguments(context, spec),
        contexts=contexts,
        labels=spec.labels,
        no_cache=spec.no_cache,
        no_cache_filter=frozenset(spec.no_cache_filter),
    )
    return Read(recipe, dockerfile, options, directories)


def _arguments(context: Context, spec: BuildSpec) -> dict[str, str | None]:
    epoch = context.environment.get(EPOCH)
    return {**({EPOCH: epoch} if epoch else {}), **spec.arguments}


def read_epoch(text: str | None) -> int | None:
    """SOURCE_DATE_EPOCH, if it is given. Raises UserError."""
    if text and not text.isdecimal():
        raise UserError(f"{EPOCH}={text} is not a number of seconds")
    return int(text) if text else None


def platforms_of(spec: BuildSpec) -> tuple[str, ...]:
    """What it is built for, at least one, each once."""
    from orchestra.model.platform import parse_platform

    machine = os.uname().machine
    return tuple(dict.fromkeys(str(parse_platform(text, machine)) for text in spec.platforms or (spec.platform,)))


def _named_context(
    context: Context,
    name: str,
    text: str,
    images: Mapping[str, str],
    directories: dict[str, Directory],
    stack: contextlib.ExitStack,
) -> NamedContext:
    from orchestra.build.ignore import Ignore
    from orchestra.build.options import DirectoryContext, ImageContext
    from orchestra.driver.local.build.given import Directory

    if text.startswith(SERVICE):
        service = text.removeprefix(SERVICE)
        return ImageContext(images.get(service, service))
    if text.startswith(IMAGE):
        return ImageContext(text.removeprefix(IMAGE))
    if text.startswith(LAYOUT):
        return ImageContext(f"oci:{os.path.abspath(text.removeprefix(LAYOUT))}")
    found = stack.enter_context(opened_context(context, text, None))
    directories[name] = Directory(found.path, f"context {name}", Ignore(), found.source)
    return DirectoryContext()


def host_platform() -> str:
    from orchestra.model.platform import parse_platform

    return str(parse_platform("", os.uname().machine))
