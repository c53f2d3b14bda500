"""An image at a registry, with its mirrors asked first; layers come in parallel while they are unpacked."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from orchestra.driver.local.image.content.arrival import Arrival
from orchestra.driver.local.image.documents.manifest import is_foreign, parse_manifest
from orchestra.driver.local.image.documents.selection import Selection
from orchestra.driver.local.image.registry.anywhere import Anywhere
from orchestra.driver.local.image.registry.session import Session
from orchestra.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import ThreadPoolExecutor

    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.driver.local.image.documents.manifest import Descriptor
    from orchestra.driver.local.image.naming.name import ImageName
    from orchestra.driver.local.image.registry import Access
    from orchestra.driver.local.image.registry.repository import Repository
    from orchestra.model.platform import Platform

PARALLEL = 4
"""Layers at a time. Docker takes 3."""


class RegistryImage:
    """what: the image's name in errors."""

    def __init__(self, session: Session, name: ImageName, what: str) -> None:
        self._session = session
        self._name = name
        self._what = what
        self._anywhere = Anywhere(session, name)
        self._top: tuple[Descriptor, bytes] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._coming: dict[str, Arrival] = {}
        self._failure: BaseException | None = None
        self._lock = threading.Lock()

    def digest(self) -> str:
        """What the name means there now, by one small request if that is enough."""
        if self._top is not None:
            return self._top[0].digest
        return self._name.digest or self._anywhere.ask(self._named)

    def _named(self, repository: Repository) -> str:
        return repository.named(self._name.wanted)

    def fetch(self, platform: Platform, content: ContentStore) -> tuple[Descriptor, bytes]:
        """Documents at once; layers come later, see ``arrival``."""
        top, top_data = self._top = self._anywhere.ask(lambda repository: repository.resolve(self._name.wanted))

        def read(descriptor: Descriptor) -> bytes:
            if descriptor.digest == top.digest:
                return top_data
            return self._anywhere.ask(lambda repository: repository.document(descriptor, manifest=True))

        selection = Selection(self._what, read)
        descriptor, data = selection.manifest((top,), platform)
        with selection.documents("its manifest"):
            manifest = parse_manifest(data)
        for layer in manifest.layers:
            if is_foreign(layer.media_type):
                raise FatalError(
                    f"{self._what}: layer {layer.digest} is not stored in the registry (it is of type "
                    f"{layer.media_type!r}), which is not supported",
                    hint="push the image with its foreign layers: see allow-nondistributable-artifacts of dockerd",
                )
        config = self._config(manifest.config, content)
        selection.check_platform(config, platform, stated=descriptor.platform)
        content.add_document(config)
        content.add_document(data)
        if top.digest != descriptor.digest:
            content.add_document(top_data)
        # Most requests end before anything is fetched.
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="layer")
        # The largest first: little is left to wait for at the end. Unpacking begins in the same order.
        for layer in sorted(manifest.layers, key=lambda layer: -layer.size):
            if layer.digest not in self._coming:
                self._coming[layer.digest] = Arrival()
                self._pool.submit(self._layer, layer, content)
        return descriptor, data

    def arrival(self, digest: str) -> Arrival:
        return self._coming[digest]

    def close(self, *, complete: bool) -> None:
        if not complete:
            self._session.give_up()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=not complete)
        if complete and self._failure is not None:
            raise self._failure

    def _config(self, descriptor: Descriptor, content: ContentStore) -> bytes:
        there = content.read_if_sound(descriptor.digest)
        if there is not None:
            return there
        return self._anywhere.ask(lambda repository: repository.document(descriptor, manifest=False))

    def _layer(self, layer: Descriptor, content: ContentStore) -> None:
        arrival = self._coming[layer.digest]
        try:
            with content.ingest(layer.digest, layer.size, f"{self._what}: layer {layer.digest}") as ingest:
                if ingest is not None:
                    ingest.follow(arrival)
                    self._anywhere.ask(lambda repository: repository.fetch(layer, ingest))
        except BaseException as error:
            with self._lock:
                self._failure = self._failure or error
            self._session.give_up()
            # The original error first: other layers only give up because of it.
            for each in tuple(self._coming.values()):
                each.end(self._failure)
            raise
        arrival.end()


@contextlib.contextmanager
def opened_registry(name: ImageName, text: str, access: Access) -> Iterator[RegistryImage]:
    """text: the reference as it was written. All layers are there if the context ends without an exception."""
    with Session(access.environment, access.patience) as session:
        image = RegistryImage(session, name, f"image {text}")
        try:
            yield image
        except BaseException:
            image.close(complete=False)
            raise
        image.close(complete=True)
