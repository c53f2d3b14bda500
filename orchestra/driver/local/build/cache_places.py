"""Where caches of builds are read: a directory with an OCI image layout, or a repository of a registry."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Protocol

from orchestra.driver.local.image.archives.files import Directory
from orchestra.driver.local.image.documents.manifest import DOCUMENT_LIMIT, INDEXES, MANIFESTS, parse_index
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.naming.name import parse_name
from orchestra.errors import FatalError

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.driver.local.image.documents.manifest import Descriptor
    from orchestra.driver.local.image.naming.name import ImageName
    from orchestra.driver.local.image.registry.anywhere import Anywhere


class Place(Protocol):
    """Where documents and layers of one cache are."""

    def top(self) -> tuple[Descriptor, ...]: ...

    def document(self, descriptor: Descriptor) -> bytes:
        """Verified. Raises DriverError."""
        ...

    def fetch(self, layer: Descriptor, content: ContentStore) -> None: ...


class CacheLayout:
    """A directory with an OCI image layout."""

    def __init__(self, path: str, tag: str) -> None:
        self._files = Directory(path)
        self._tag = tag

    def top(self) -> tuple[Descriptor, ...]:
        with file_errors(f"cache {self._files.path}"), self._files.open("index.json") as file:
            found = parse_index(file.read(DOCUMENT_LIMIT))
        named = tuple(one for one in found if self._tag in (one.digest, *one.names))
        if not named:
            raise FatalError(f"cache {self._files.path} has nothing called {self._tag}")
        return named

    def document(self, descriptor: Descriptor) -> bytes:
        with self._blob(descriptor) as file:
            data = file.read(DOCUMENT_LIMIT)
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != descriptor.digest:
            raise FatalError(f"{descriptor.digest} of cache {self._files.path} is damaged")
        return data

    def fetch(self, layer: Descriptor, content: ContentStore) -> None:
        with self._blob(layer) as file:
            content.add(file, f"layer of cache {self._files.path}", digest=layer.digest, size=layer.size)

    @contextlib.contextmanager
    def _blob(self, descriptor: Descriptor) -> Iterator[io.BufferedReader]:
        path = f"blobs/{descriptor.digest.replace(':', '/', 1)}"
        with file_errors(f"cache {self._files.path}"), self._files.open(path) as file:
            yield file


class CacheRepository:
    def __init__(self, anywhere: Anywhere, name: ImageName) -> None:
        self._anywhere, self._name = anywhere, name
        self._top: tuple[Descriptor, bytes] | None = None

    def top(self) -> tuple[Descriptor, ...]:
        self._top = self._anywhere.ask(lambda repository: repository.resolve(self._name.wanted))
        return (self._top[0],)

    def document(self, descriptor: Descriptor) -> bytes:
        if self._top is not None and self._top[0].digest == descriptor.digest:
            return self._top[1]
        is_manifest = descriptor.media_type in MANIFESTS | INDEXES
        return self._anywhere.ask(lambda repository: repository.document(descriptor, manifest=is_manifest))

    def fetch(self, layer: Descriptor, content: ContentStore) -> None:
        with content.ingest(layer.digest, layer.size, f"layer of cache {self._name}") as ingest:
            if ingest is not None:
                self._anywhere.ask(lambda repository: repository.fetch(layer, ingest))


@contextlib.contextmanager
def opened_repository(text: str) -> Iterator[CacheRepository]:
    # The library costs as much as the rest of a build.
    from orchestra.driver.local.image.registry import Access
    from orchestra.driver.local.image.registry.anywhere import Anywhere
    from orchestra.driver.local.image.registry.session import Session

    access = Access()
    name = parse_name(text)
    with Session(access.environment, access.patience) as session:
        yield CacheRepository(Anywhere(session, name), name)
