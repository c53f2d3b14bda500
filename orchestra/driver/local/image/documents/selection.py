"""From the target of a reference to the manifest for one platform, through indexes, wherever documents are stored."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from orchestra.driver.local.image.documents.manifest import INDEXES, MANIFESTS, choose_platform, parse_index
from orchestra.driver.local.image.documents.platform import platform_of
from orchestra.errors import FatalError
from orchestra.model.document import DocumentError, parse_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orchestra.driver.local.image.documents.manifest import Descriptor
    from orchestra.model.platform import Platform

# No real image has indexes nested this deep.
NESTING_LIMIT = 5


class Selection:
    """what: the image's name in errors; read: returns a document, verified."""

    def __init__(self, what: str, read: Callable[[Descriptor], bytes]) -> None:
        self._what = what
        self._read = read

    def manifest(self, candidates: Sequence[Descriptor], platform: Platform) -> tuple[Descriptor, bytes]:
        for _ in range(NESTING_LIMIT):
            chosen = choose_platform(candidates, platform) if len(candidates) > 1 else candidates[0]
            if chosen is None:
                raise self._unsuitable(platform, [str(item.platform) for item in candidates if item.platform])
            if chosen.media_type not in MANIFESTS | INDEXES:
                raise FatalError(
                    f"{self._what}: its manifest is of type {chosen.media_type!r}, which is not supported",
                    hint="convert it with `skopeo copy --format oci`",
                )
            data = self._read(chosen)
            if chosen.media_type in MANIFESTS:
                return chosen, data
            with self.documents("its index"):
                candidates = parse_index(data)
            if not candidates:
                raise FatalError(f"{self._what}: its index is empty", hint="make the image again")
            if choose_platform(candidates, platform) is None and all(item.platform for item in candidates):
                raise self._unsuitable(platform, [str(item.platform) for item in candidates])
        raise FatalError(f"{self._what}: its indexes are nested too deep", hint="make the image again")

    def check_platform(self, config: bytes, wanted: Platform, *, stated: Platform | None) -> None:
        """What an index says about the image counts more than its configuration."""
        with self.documents("its config"):
            own = platform_of(parse_document(config))
        platform = stated or own
        if platform and not platform.suits(wanted):
            raise self._unsuitable(wanted, [str(platform)])

    @contextlib.contextmanager
    def documents(self, which: str) -> Iterator[None]:
        try:
            yield
        except DocumentError as error:
            raise FatalError(f"{self._what}: {which} {error}", hint="make the image again") from error

    def _unsuitable(self, wanted: Platform, there: Sequence[str]) -> FatalError:
        return FatalError(
            f"{self._what} is not for {wanted}, but for {', '.join(there) or 'nothing that it states'}",
            hint="if this machine can run it, set `platform:`",
        )
