"""Changing images: pull, import, tag, remove, push, load, save."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestra.driver.local.image.library import Library
from orchestra.driver.local.image.naming.name import parse_name
from orchestra.engine_api.errors import absent, bad_request, conflict
from orchestra.engine_api.exchange import TAR
from orchestra.engine_api.images.credentials import access_of
from orchestra.engine_api.images.names import familiar, find_image, full_name
from orchestra.errors import DriverError, OrchestraError, UserError
from orchestra.model.desired import ImageSpec
from orchestra.stacks.images.archives import ImportOptions, import_image, load_images, save_images
from orchestra.stacks.images.library import open_library

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from orchestra.driver.local.image.naming.name import ImageName
    from orchestra.engine_api.exchange import Exchange, Writer
    from orchestra.engine_api.world import World

TICK = 0.2
"""Seconds between two reports of progress."""


def create_image(world: World, exchange: Exchange) -> None:
    """``fromImage`` is pulled, ``fromSrc=-`` imported from the body. The stream tells of failures."""
    query = exchange.request.query
    if query.get("fromImage"):
        _pull(world, exchange, query["fromImage"], query.get("tag", ""), query.get("platform", ""))
    elif query.get("fromSrc") == "-":
        _import(world, exchange)
    elif query.get("fromSrc"):
        raise absent("images are imported from the request, not from a URL")
    else:
        raise bad_request("fromImage or fromSrc is missing")


def _pull(world: World, exchange: Exchange, repository: str, tag: str, platform: str) -> None:
    named = full_name(repository, tag) if tag else str(parse_or_refuse(repository))
    name = parse_name(named)
    shown = familiar(named)
    with exchange.stream() as writer, access_of(world, exchange.request, name.host) as access, _told(writer):
        writer.document({"status": f"Pulling from {name.path}", "id": name.wanted})
        library = Library(world.context.home, access)
        spec = ImageSpec(named, platform, "always")
        before = {item.entry.digest for item in library.items() if item.entry.reference == named}
        image = _with_progress(library, spec, writer)
        found = library.find(named)
        writer.document({"status": f"Digest: {found.entry.source or image.digest}"})
        news = "Image is up to date for" if image.digest in before else "Downloaded newer image for"
        writer.document({"status": f"Status: {news} {shown}"})
        world.events.tell("image", "pull", shown, {"name": shown})


def parse_or_refuse(text: str) -> ImageName:
    try:
        return parse_name(text)
    except (DriverError, UserError) as error:
        raise bad_request(f"invalid reference format: {error}") from error


def _with_progress(library: Library, spec: ImageSpec, writer: Writer) -> Any:
    """Pulls in this thread; another one reports how far it has got."""
    over = threading.Event()

    def report() -> None:
        before = (0, 0)
        while not over.wait(TICK):
            measured = library.store.measure(spec)
            if measured and measured != before:
                before = measured
                writer.document(
                    {
                        "status": "Downloading",
                        "id": "layers",
                        "progressDetail": {"current": measured[0], "total": measured[1]},
                        "progress": f"{measured[0] >> 20}MB/{measured[1] >> 20}MB",
                    }
                )

    reporter = threading.Thread(target=report, name="progress", daemon=True)
    reporter.start()
    try:
        return library.store.pull(spec)
    finally:
        over.set()
        reporter.join()


@contextmanager
def _told(writer: Writer) -> Iterator[None]:
    """The head says that all is well already, so clients look for an error in the stream."""
    try:
        yield
    except OrchestraError as error:
        text = f"{error.message}: {error.hint}" if error.hint else error.message
        writer.document({"errorDetail": {"message": text}, "error": text})


def _import(world: World, exchange: Exchange) -> None:
    query = exchange.request.query
    repository = query.get("repo", "")
    options = ImportOptions(
        full_name(repository, query.get("tag", "")) if repository else None,
        query.get("platform") or None,
        query.get("message") or "Imported from -",
        tuple(exchange.request.queries.get("changes", ())),
    )
    identifier = import_image(world.context, exchange.archive(), "the archive", options)
    with exchange.stream() as writer:
        writer.document({"status": identifier})
    world.events.tell("image", "import", identifier, {"name": identifier})


def tag_image(world: World, exchange: Exchange) -> None:
    from http import HTTPStatus

    word, query = exchange.parameters["name"], exchange.request.query
    item = find_image(world, word)
    name = full_name(query.get("repo", ""), query.get("tag", ""))
    open_library(world.context).tag(item.entry.reference or item.id, name)
    world.events.tell("image", "tag", item.id, {"name": familiar(name)})
    exchange.empty(HTTPStatus.CREATED, [("Content-Length", "0")])


def remove_image(world: World, exchange: Exchange) -> None:
    """An image in use is kept; with ``force`` only its name goes."""
    word, force = exchange.parameters["name"], exchange.request.flag("force")
    item = find_image(world, word)
    users = [each for each in world.containers() if each.container.image_digest == item.entry.digest]
    if users and not force:
        raise conflict(
            f'conflict: unable to remove repository reference "{word}" (must force) - container {users[0].id[:12]} is '
            f"using its referenced image {item.id.removeprefix('sha256:')[:12]}"
        )
    try:
        removed = open_library(world.context).remove(word, force=force)
    except UserError as error:
        raise conflict(f"conflict: {error.message}") from error
    rows = [{"Untagged": familiar(name)} for name in removed.names if name]
    for row in rows:
        world.events.tell("image", "untag", item.id, {"name": row["Untagged"]})
    if removed.id:
        rows.append({"Deleted": removed.id})
        world.events.tell("image", "delete", removed.id, {"name": removed.id})
    exchange.answer(rows)


def push_image(world: World, exchange: Exchange) -> None:
    word, tag = exchange.parameters["name"], exchange.request.query.get("tag", "")
    named = full_name(word, tag)
    find_image(world, named)
    exchange.document()
    with (
        exchange.stream() as writer,
        access_of(world, exchange.request, parse_name(named).host) as access,
        _told(writer),
    ):
        pushed = Library(world.context.home, access).push(named, lambda line: writer.document({"status": line}))
        size = sum(layer.size for layer in _layers(world, named))
        writer.document({"status": f"{tag or 'latest'}: digest: {pushed.digest} size: {size}"})
        writer.document({"progressDetail": {}, "aux": {"Tag": tag, "Digest": pushed.digest, "Size": size}})
        world.events.tell("image", "push", familiar(named), {"name": familiar(named)})


def _layers(world: World, name: str) -> Sequence[Any]:
    parts = find_image(world, name).parts
    return parts.layers if parts else ()


def load(world: World, exchange: Exchange) -> None:
    loaded = load_images(
        world.context, exchange.archive(), exchange.request.query.get("platform") or None, "the archive"
    )
    with exchange.stream() as writer:
        for image in loaded:
            names = [f"Loaded image: {familiar(name)}" for name in image.names]
            for line in names or [f"Loaded image ID: {image.id}"]:
                writer.document({"stream": f"{line}\n"})
            world.events.tell("image", "load", image.id, {"name": image.id})


def save(world: World, exchange: Exchange) -> None:
    _save(world, exchange, exchange.request.queries.get("names", ()))


def save_one(world: World, exchange: Exchange) -> None:
    _save(world, exchange, [exchange.parameters["name"]])


def _save(world: World, exchange: Exchange, names: Sequence[str]) -> None:
    for name in names:
        find_image(world, name)
    if not names:
        raise bad_request("names is missing")

    def opened() -> AbstractContextManager[Any]:
        return exchange.stream(TAR)

    save_images(world.context, names, opened)


def search(_world: World, _exchange: Exchange) -> None:
    raise absent("this engine does not search registries")


def distribution(world: World, exchange: Exchange) -> None:
    """What a registry has for a name."""
    from orchestra.driver.local.image.registry.source import opened_registry

    text = exchange.parameters["name"]
    name = parse_or_refuse(text)
    with access_of(world, exchange.request, name.host) as access, opened_registry(name, text, access) as source:
        digest = source.digest()
    descriptor = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": 0}
    exchange.answer({"Descriptor": descriptor, "Platforms": []})
