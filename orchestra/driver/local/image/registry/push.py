"""Pushing an image of the content store: blobs that the registry has are not sent again, and may be mounted."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING

from orchestra.driver.local.image.registry.places import find_place
from orchestra.driver.local.image.registry.repository import Repository
from orchestra.driver.local.image.registry.session import Session
from orchestra.errors import DriverError
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.driver.local.image.documents.manifest import Descriptor
    from orchestra.driver.local.image.naming.name import ImageName
    from orchestra.driver.local.image.registry import Access

PARALLEL = 4


class Pushed(NamedTuple):
    """How many blobs got there which way. digest: of the manifest."""

    digest: str
    there: int
    mounted: int
    sent: int


def push_image(
    content: ContentStore,
    manifest: Descriptor,
    blobs: Iterable[Descriptor],
    name: ImageName,
    access: Access,
    sources: Iterable[str] = (),
) -> Pushed:
    """blobs: everything that the manifest refers to. sources: repositories of the same registry that may have them.

    The manifest goes last, so that only complete images can be pulled. Raises DriverError.
    """
    data = content.read(manifest.digest)
    assert data is not None, manifest.digest
    with Session(access.environment, access.patience) as session:
        repository = Repository(session, find_place(name, access.environment))
        send = partial(_send, session, repository, content, tuple(sources))
        unique = {blob.digest: blob for blob in blobs}
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="push") as pool:
            ways = [future.result() for future in _first_failure_ends(session, pool, send, unique.values())]
        repository.put_manifest(name.tag or manifest.digest, manifest.media_type, data)
    return Pushed(manifest.digest, ways.count("there"), ways.count("mounted"), ways.count("sent"))


def _first_failure_ends(
    session: Session, pool: ThreadPoolExecutor, send: Callable[[Descriptor], str], blobs: Iterable[Descriptor]
) -> list[Future[str]]:
    futures = [pool.submit(send, blob) for blob in blobs]
    done, pending = wait(futures, return_when=FIRST_EXCEPTION)
    if pending:
        session.give_up()
    for future in done:
        future.result()
    return futures


def _send(
    session: Session, repository: Repository, content: ContentStore, sources: tuple[str, ...], blob: Descriptor
) -> str:
    session.check()
    if repository.has_blob(blob.digest):
        return "there"
    location = ""
    for source in sources:
        try:
            location = repository.mount(blob.digest, source)
        except DriverError:
            continue  # not permitted there, or missing: it is sent then
        if not location:
            return "mounted"
        break
    repository.upload(blob.digest, blob.size, partial(content.open, blob.digest), location)
    return "sent"
