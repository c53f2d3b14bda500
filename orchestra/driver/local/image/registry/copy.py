"""Copying an image as it is, with all its platforms and attestations, from one repository to another.

Blobs that the other repository has are not sent again; of the same registry they are mounted. Others pass through this
machine, without becoming images of it.
"""

from __future__ import annotations

from functools import partial
from io import FileIO
from typing import TYPE_CHECKING

from orchestra.driver.local.image.documents.manifest import (
    INDEXES,
    Descriptor,
    is_foreign,
    parse_artifact,
    parse_index,
)
from orchestra.driver.local.image.registry.anywhere import Anywhere
from orchestra.driver.local.image.registry.places import find_place
from orchestra.driver.local.image.registry.repository import Repository
from orchestra.driver.local.image.registry.session import Session
from orchestra.errors import DriverError, FatalError
from orchestra.model.document import DocumentError

if TYPE_CHECKING:
    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.driver.local.image.naming.name import ImageName
    from orchestra.driver.local.image.registry import Access


def copy_image(
    name: ImageName, to: ImageName, content: ContentStore, access: Access, *, insecure: bool = False
) -> Descriptor:
    """Return what ``name`` means, once the repository of ``to`` has all of it, by digest. Raises DriverError."""
    with Session(access.environment, access.patience) as session:
        target = Repository(session, find_place(to, access.environment, insecure=insecure))
        return _Copy(session, name, target, content).run()


class _Copy:
    """One image on its way. content: blobs that are here already are not fetched."""

    def __init__(self, session: Session, name: ImageName, target: Repository, content: ContentStore) -> None:
        self._anywhere = Anywhere(session, name)
        self._name = name
        self._target = target
        self._content = content

    def run(self) -> Descriptor:
        """Return what the name means, once the target has all of it. Raises DriverError."""
        top, data = self._anywhere.ask(lambda repository: repository.resolve(self._name.wanted))
        try:
            self._put(top, data)
        except DocumentError as error:
            raise FatalError(f"image {self._name}: its manifest {error}") from None
        return top

    def _put(self, descriptor: Descriptor, data: bytes) -> None:
        """A manifest goes after everything that it refers to, so that only complete images can be pulled."""
        if descriptor.media_type in INDEXES:
            for member in parse_index(data):
                document = partial(self._document, member)
                self._put(member, self._anywhere.ask(document))
        else:
            manifest = parse_artifact(data)
            for blob in {blob.digest: blob for blob in (manifest.config, *manifest.layers)}.values():
                if not is_foreign(blob.media_type):
                    self._send(blob)
        self._target.put_manifest(descriptor.digest, descriptor.media_type, data)

    @staticmethod
    def _document(member: Descriptor, repository: Repository) -> bytes:
        return repository.document(member, manifest=True)

    def _send(self, blob: Descriptor) -> None:
        if self._target.has_blob(blob.digest):
            return
        location = ""
        if self._name.host == self._target.place.host:
            try:
                location = self._target.mount(blob.digest, self._name.path)
            except DriverError:
                pass  # not permitted there: it is sent then
            else:
                if not location:
                    return
        what = f"image {self._name}: {blob.digest}"
        with self._content.passing(blob.digest, blob.size, what) as (ingest, path):
            if ingest is not None:
                self._anywhere.ask(lambda repository: repository.fetch(blob, ingest))
            self._target.upload(blob.digest, blob.size, partial(FileIO, path), location)
