"""Results of builds elsewhere (``cache_from``): read before the steps are looked up, fetched when one is needed.

A cache is never a reason to fail: what cannot be read is left out, and the progress says so.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from orchestra.build.cache import CacheType, parse_cache
from orchestra.build.event import StageOutput
from orchestra.driver.local.build.cache_places import CacheLayout, opened_repository
from orchestra.driver.local.build.cache_to import CACHE_CONFIG, DIFF_ID, INLINE
from orchestra.driver.local.build.records import BlobRecords, Made
from orchestra.driver.local.build.trees import FileTree
from orchestra.driver.local.image.content.arrival import HERE
from orchestra.driver.local.image.content.parts import chain_ids
from orchestra.driver.local.image.documents.manifest import Descriptor, parse_descriptor, parse_diff_ids
from orchestra.driver.local.image.documents.selection import Selection
from orchestra.driver.local.image.layers.layer import Layer
from orchestra.driver.local.image.layers.parallel import commit_layers
from orchestra.errors import DriverError, FatalError
from orchestra.model.document import DocumentError, mapping, mappings, parse_document
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from orchestra.build.cache import CachedStep, CacheSource
    from orchestra.build.event import BuildEvent
    from orchestra.driver.local.build.cache_places import Place
    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.driver.local.snapshot import Snapshotter
    from orchestra.home import Home
    from orchestra.model.platform import Platform

BUILDKIT = ("application/vnd.buildkit.cacheconfig.v0", "moby.buildkit.cache.v0")
"""The type of BuildKit's cache documents, and their member in the configuration of an image."""


class _Offer(NamedTuple):
    step: CachedStep
    place: Place


class Caches:
    """All caches that a build may use. Not safe across threads."""

    def __init__(self, home: Home, content: ContentStore, snapshots: Snapshotter) -> None:
        self._home, self._content, self._snapshots = home, content, snapshots
        self._offers: dict[str, _Offer] = {}
        self._layers: dict[str, tuple[Descriptor, Place]] = {}
        self._blobs = BlobRecords(home)

    def add(self, place: Place, steps: Iterable[CachedStep], layers: Mapping[str, Descriptor]) -> None:
        """layers: by diff id. What an earlier cache offers counts more."""
        for step in steps:
            self._offers.setdefault(step.key, _Offer(step, place))
        for diff_id, descriptor in layers.items():
            self._layers.setdefault(diff_id, (descriptor, place))

    def find(self, key: str) -> Made | None:
        """What the step of this key has made elsewhere, if that is needed."""
        offer = self._offers.get(key)
        if offer is None:
            return None
        step = offer.step
        return Made(FileTree(step.diff_ids), step.created, step.name, step.grew)

    def fetch(self, tree: FileTree) -> None:
        """Make the tree whole. Raises DriverError."""
        layers = []
        for diff_id, chain in zip(tree.diff_ids, chain_ids(tree.diff_ids), strict=True):
            descriptor = self._fetch(diff_id) if not self._snapshots.has(chain) else Descriptor("", "", 0)
            what = f"cached layer {descriptor.digest}"
            layers.append(Layer(chain, descriptor.digest, descriptor.size, diff_id, what))
        commit_layers(self._home, self._content, self._snapshots, layers, lambda _: HERE)

    def forget(self) -> None:
        """Offer nothing any more."""
        self._offers.clear()

    def _fetch(self, diff_id: str) -> Descriptor:
        found = self._layers.get(diff_id)
        if found is None:
            raise FatalError(f"the cache has no layer {diff_id}", hint="export the cache again")
        descriptor, place = found
        if self._content.size(descriptor.digest) != descriptor.size:
            place.fetch(descriptor, self._content)
        row = {"mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size}
        self._blobs.store(diff_id, row)
        return descriptor


@contextlib.contextmanager
def opened_caches(
    home: Home,
    content: ContentStore,
    snapshots: Snapshotter,
    sources: Iterable[CacheSource],
    platform: Platform,
    hear: Callable[[BuildEvent], None],
) -> Iterator[Caches]:
    """platform: of the images that caches are in."""
    caches = Caches(home, content, snapshots)
    with contextlib.ExitStack() as stack:
        for source in sources:
            name = f"importing cache from {source}"
            hear(StageOutput(name))
            try:
                found = _read(source, platform, caches, stack)
            except DriverError as error:
                found = f"warning: it is not used: {error}"
            hear(StageOutput(name, found, done=True))
        yield caches


def _read(source: CacheSource, platform: Platform, caches: Caches, stack: contextlib.ExitStack) -> str:
    """What to say of it. Raises DriverError."""
    if not source.type.is_supported:
        return f"warning: caches of type {source.type} are not supported"
    place: Place
    if source.type is CacheType.LOCAL:
        place = CacheLayout(source.place, source.tag)
    else:
        place = stack.enter_context(opened_repository(source.place))
    what = f"cache {source.place}"
    try:
        top = place.top()
        if _is_buildkits(place, top):
            return "warning: it is not used: its records are BuildKit's"
        _, data = Selection(what, place.document).manifest(top, platform)
        manifest = parse_document(data)
        config = parse_descriptor(mapping(manifest, "config"))
        document = parse_document(place.document(config))
        rows = mappings(manifest, "layers")
        if config.media_type == CACHE_CONFIG:
            layers = {str(mapping(row, "annotations").get(DIFF_ID)): parse_descriptor(row) for row in rows}
        elif INLINE in document:
            layers = dict(zip(parse_diff_ids(document), map(parse_descriptor, rows), strict=False))
            document = mapping(document, INLINE)
        else:
            whose = "BuildKit's" if BUILDKIT[1] in document else "missing: it was built without cache_to type=inline"
            return f"warning: it is not used: its records are {whose}"
        steps = parse_cache(document)
    except DocumentError as error:
        raise FatalError(f"{what} {error}") from error
    caches.add(place, steps, layers)
    return f"steps: {len(steps)}"


def _is_buildkits(place: Place, top: tuple[Descriptor, ...]) -> bool:
    """Whether it is an index with layers and a document of BuildKit's, or a manifest of them."""
    document = parse_document(place.document(top[0]))
    config = mapping(document, "config").get("mediaType")
    return BUILDKIT[0] in (config, *(row.get("mediaType") for row in mappings(document, "manifests")))
