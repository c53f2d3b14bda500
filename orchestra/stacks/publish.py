"""``publish``: publish the files of a stack to a registry, for ``-f oci://`` and ``include``."""

from __future__ import annotations

import datetime

from orchestra.errors import UserError
from orchestra.model.project import Chosen
from orchestra.record import Record, replace
from orchestra.stacks.publish_images import check_images, find_images, images_of_hooks, render_pins
from orchestra.stacks.sensitive import is_secret_by_name, secrets_in
from orchestra.stacks.stack_file import StackFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestra.compose import Loaded
    from orchestra.compose.publishing import Publication, PublishedFile
    from orchestra.driver.local.image.naming.name import ImageName
    from orchestra.driver.local.image.registry.artifact import Part, Version
    from orchestra.model.event import Event
    from orchestra.stacks.context import Context
    from orchestra.stacks.images.parallel import Failures
    from orchestra.stacks.publish_images import Copied, StackImages

PINS = "image-digests.yaml"


class PublishOptions(Record):
    """with_env: include the files of ``env_file``. app: copy the images into the repository, and pin services to them.
    oci_version: None for the newest that the registry accepts.
    """

    repository: str
    app: bool = False
    with_env: bool = False
    resolve_image_digests: bool = False
    oci_version: str | None = None
    insecure_registry: bool = False


class Draft(Record):
    """What would be published. doubts: warnings to show first, by heading. built: services whose images
    are pushed too.
    """

    name: ImageName
    parts: tuple[Part, ...]
    doubts: Mapping[str, tuple[str, ...]]
    built: tuple[str, ...]
    images: StackImages

    @property
    def files(self) -> tuple[tuple[str, int, str], ...]:
        """Name, size and digest of each file, in the order of merging."""
        from orchestra.stacks.sources.registry import ENV_NAME, FILE_NAME

        return tuple(
            (part.annotations.get(FILE_NAME) or part.annotations[ENV_NAME], len(part.data), part.digest)
            for part in self.parts
        )


def draft(context: Context, options: PublishOptions) -> Draft:
    """Images are not pinned yet. Raises the errors of a load, and UserError for a stack that is of no use elsewhere."""
    from orchestra.compose.publishing import collect

    name = _read_name(options.repository)
    everything = replace(context, project=replace(context.project, profiles=("*",)))
    file = StackFile(everything)
    loaded = file.load(Chosen())
    _check_builds(loaded)
    publication = collect(file.load_request(Chosen()), with_env=options.with_env)
    if publication.included:
        raise UserError(
            f"a stack that includes files of this machine cannot be published: {', '.join(publication.included)}",
            hint="publish them too and include them by oci://, or print one file with orchestra config",
        )
    env_files = {name: _read(path) for name, path in publication.env_files.items()}
    images = find_images(loaded.stack)
    if options.app:
        check_images(images)
    built = tuple(key for key, service in sorted(loaded.stack.services.items()) if service.build is not None)
    doubts = _doubts(loaded, publication, env_files, options)
    return Draft(name, _parts(publication, env_files), doubts, built, images)


def push_built(context: Context, found: Draft, hear: Callable[[Event], None]) -> Failures:
    """Push the images of the services with a build. Returns the errors, by image."""
    from orchestra.stacks.images.push import PushOptions, push

    everything = replace(context, project=replace(context.project, profiles=("*",)))
    return push(everything, PushOptions(found.built), hear) if found.built else {}


def pinned(context: Context, found: Draft, copied: Copied | None = None) -> Draft:
    """With a file that pins the images: to what their names mean now, or to their copies.

    Raises OrchestraError if a registry does not have an image, denies access, or cannot be reached.
    """
    from orchestra.driver.local.image.registry.artifact import Part
    from orchestra.stacks.images.digests import pin_images
    from orchestra.stacks.sources.registry import COMPOSE_FILE, FILE_NAME

    if copied is None:
        pins = pin_images(context, found.images.names)
    else:
        pins = {image: str(found.name.at(descriptor.digest)) for image, descriptor in copied.items()}
    return replace(found, parts=(*found.parts, Part(COMPOSE_FILE, render_pins(found.images, pins), {FILE_NAME: PINS})))


def publish(context: Context, found: Draft, options: PublishOptions, copied: Copied | None = None) -> str:
    """Publish the files, and an index of the copied images. Returns the reference of the files, with its digest.

    Raises DriverError.
    """
    from orchestra.driver.local.image.registry import Access
    from orchestra.driver.local.image.registry.artifact import push_application, push_artifact
    from orchestra.stacks.sources.registry import PROJECT

    access = Access(context.environment)
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    insecure = options.insecure_registry
    artifact = push_artifact(
        found.name, PROJECT, found.parts, created, access, _version(options.oci_version), insecure=insecure
    )
    if copied is not None:
        push_application(found.name, PROJECT, artifact, copied, access, insecure=insecure)
    return f"oci://{found.name}@{artifact.digest}"


def _version(text: str | None) -> Version | None:
    from orchestra.driver.local.image.registry.artifact import Version

    return Version(text) if text else None


def _read_name(text: str) -> ImageName:
    from orchestra.driver.local.image.naming.name import parse_name

    name = parse_name(text.removeprefix("oci://"))
    if name.digest:
        raise UserError(f"{text} has a digest, which cannot be given", hint="name a tag")
    return name


def _check_builds(loaded: Loaded) -> None:
    only_built = [key for key, service in sorted(loaded.stack.services.items()) if service.build and not service.image]
    if only_built:
        raise UserError(
            f"the stack cannot be published: it has only a build section for {', '.join(only_built)}",
            hint="write image: beside build:, with a name that others can pull",
        )


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _parts(publication: Publication, env_files: Mapping[str, bytes]) -> tuple[Part, ...]:
    from orchestra.driver.local.image.registry.artifact import Part
    from orchestra.stacks.sources.registry import COMPOSE_FILE, ENV_FILE, ENV_NAME, EXTENDED, FILE_NAME

    parts = [
        Part(
            COMPOSE_FILE,
            file.text.encode(),
            {FILE_NAME: file.name, **({EXTENDED: "true"} if file.is_base else {})},
        )
        for file in publication.files
    ]
    parts += [Part(ENV_FILE, data, {ENV_NAME: name}) for name, data in env_files.items()]
    return tuple(parts)


def _doubts(
    loaded: Loaded, publication: Publication, env_files: Mapping[str, bytes], options: PublishOptions
) -> dict[str, tuple[str, ...]]:
    binds = [
        f"service {key}: {_written(volume.source or '', publication)}:{volume.target}"
        for key, service in sorted(loaded.stack.services.items())
        for volume in service.volumes
        if volume.type == "bind"
    ]
    apart = images_of_hooks(loaded.stack) if options.app else ()
    found: dict[str, list[str]] = {
        "Bind mounts are published as they are declared, without the files:": binds,
        "These files are named by the stack, and not published:": [
            *_left_behind(loaded, publication, options.with_env)
        ],
        "These images are not included, and fetched from where they are:": [*apart],
        "These values look like secrets, and would be published:": [
            *(line for file in publication.files for line in _secrets_of(file)),
            *(line for name, data in env_files.items() for line in _secrets_of_env(publication.env_files[name], data)),
        ],
    }
    return {heading: tuple(dict.fromkeys(lines)) for heading, lines in found.items() if lines}


def _left_behind(loaded: Loaded, publication: Publication, with_env: bool) -> Iterator[str]:
    for kind, declared in (("config", loaded.stack.configs), ("secret", loaded.stack.secrets)):
        for key, definition in sorted(declared.items()):
            if definition.file:
                yield f"{kind} {key}: {_written(definition.file, publication)}"
    for file in publication.files if not with_env else ():
        for key, service in _services(file):
            entries = service.get("env_file")
            for entry in entries if isinstance(entries, tuple) else ():
                if isinstance(entry, dict):
                    yield f"service {key}: {entry.get('path')} (use --with-env to publish it)"


def _written(path: str, publication: Publication) -> str:
    """The path in the form used in the file."""
    is_below = path.startswith(f"{publication.directory}/")
    return f".{path.removeprefix(publication.directory)}" if is_below else path


def _services(file: PublishedFile) -> Iterator[tuple[str, dict[str, object]]]:
    for data in _documents(file):
        services = data.get("services")
        for key, service in services.items() if isinstance(services, dict) else ():
            if isinstance(service, dict):
                yield key, service


def _documents(file: PublishedFile) -> Iterator[dict[str, object]]:
    from orchestra.compose.nodes import plain

    yield from map(plain, file.documents)


def _secrets_of(file: PublishedFile) -> Iterator[str]:
    for key, service in _services(file):
        variables = service.get("environment")
        for name, value in variables.items() if isinstance(variables, dict) else ():
            if value is not None and is_secret_by_name(name, str(value)):
                yield f"{file.name}: service {key}: the value of {name}"
    for data in _documents(file):
        for kind in ("configs", "secrets"):
            declared = data.get(kind)
            for key, definition in declared.items() if isinstance(declared, dict) else ():
                content = definition.get("content") if isinstance(definition, dict) else None
                if isinstance(content, str) and "${" not in content:
                    yield f"{file.name}: the content of {kind.removesuffix('s')} {key}"
    for number, line in enumerate(file.text.splitlines(), 1):
        yield from (f"{file.name}, line {number}: {kind}" for kind in secrets_in(line))


def _secrets_of_env(path: str, data: bytes) -> Iterator[str]:
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        name, _, value = line.partition("=")
        if not name.lstrip().startswith("#") and is_secret_by_name(name.strip(), value.strip()):
            yield f"{path}, line {number}: the value of {name.strip()}"
        yield from (f"{path}, line {number}: {kind}" for kind in secrets_in(line))
