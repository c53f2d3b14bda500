"""Images of one home: made ready, observed, and resolved to the layers and configuration that containers need."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from orchestra.driver.local.image.content.arrival import HERE, Arrival
from orchestra.driver.local.image.content.by_id import find_by_id, is_id, may_be_id
from orchestra.driver.local.image.content.parts import EMPTY_LAYER, Parts, load_parts
from orchestra.driver.local.image.content.store import ContentStore, Stored
from orchestra.driver.local.image.documents.config import ImageConfig
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.layers.lookup import is_opaque
from orchestra.driver.local.image.naming.name import parse_name
from orchestra.driver.local.image.naming.reference import OciDirectory, Registry, Tree, parse_reference
from orchestra.driver.local.image.source import Stamp, opened_source, stamp_of
from orchestra.driver.local.image.tree import PREFIX, tree_digest, tree_of
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.errors import DriverError, FatalError
from orchestra.model.observed import Image
from orchestra.model.platform import parse_platform
from orchestra.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestra.driver.local.image.naming.name import ImageName
    from orchestra.driver.local.image.registry import Access
    from orchestra.driver.local.image.source import Local, Source
    from orchestra.home import Home
    from orchestra.model.desired import ImageSpec
    from orchestra.model.platform import Platform

CONTENT = frozenset(("missing", "if_not_present", "never", "build"))
"""Pull policies that take an existing image as it is."""


class ReadyImage(Record):
    """layers: absolute directories, topmost first, as overlayfs' ``lowerdir`` wants them."""

    digest: str
    layers: tuple[str, ...]
    config: ImageConfig


class ImageStore:
    """Safe across threads and processes."""

    def __init__(self, home: Home, access: Access | None = None) -> None:
        self.content = self._content = ContentStore(home.content)
        self._home = home
        self._snapshots = Snapshotter(home)
        self._access = access
        self.environment: Mapping[str, str] | None = None
        """For ``Access`` to registries; None for this process's own environment."""
        # By digest, whose meaning never changes.
        self._parts: dict[str, Parts] = {}
        # By reference: the stamp of its archive, and its source digest at that time.
        self._named: dict[str, tuple[str, str]] = {}
        # By id or its beginning: the image, and when it was last looked for.
        self._by_id: dict[str, Stored] = {}
        # By key, while layers are arriving: the digest of the manifest.
        self._coming: dict[str, str] = {}

    def pull(self, spec: ImageSpec) -> Image:
        """Make the image ready: content verified, layers unpacked. Idempotent.

        Its platform is that of ``spec``, otherwise the machine's. pull_policy ``never``, ``build``: only what is here.
        A reference whose archive or directory is gone keeps its meaning, unless pull_policy is ``always``. A registry
        is asked if the image is missing, and with every policy that checks whether it is the newest.
        """
        reference = parse_reference(spec.reference)
        if isinstance(reference, Tree):
            return Image(spec.key, tree_digest(reference.path))
        platform = _platform(spec.platform)
        with self._content.held():
            if isinstance(reference, Registry):
                if found := self._find_by_id(spec, reference.name):
                    return found
                return self._pull_name(spec, parse_name(reference.name), platform)
            return self._pull(spec, reference, platform)

    def observe(self, images: Iterable[ImageSpec]) -> dict[str, Image]:
        """Those that are ready for their platform and still match their reference; by ``ImageSpec.key``."""
        found: dict[str, Image] = {}
        entries: dict[str, Stored] | None = None
        for spec in images:
            try:
                reference = parse_reference(spec.reference)
                if isinstance(reference, Tree):
                    found[spec.key] = Image(spec.key, tree_digest(reference.path))
                    continue
                entries = self._content.entries() if entries is None else entries
                known = self._by_id.get(spec.reference)
                if known and isinstance(reference, Registry) and self._still_is(known, reference):
                    found[spec.key] = self._image(spec, known.digest, known.pulled_at)
                    continue
                entry = entries.get(_name(spec, reference))
                if entry and _is_for(entry, _platform(spec.platform)) and self._still_is(entry, reference):
                    found[spec.key] = self._image(spec, entry.digest, entry.pulled_at)
            except DriverError:
                continue  # whatever is wrong, it is not ready; pulling reports why
        return found

    def resolve(self, digest: str) -> ReadyImage:
        """Raises FatalError if the image is not ready."""
        if digest.startswith(PREFIX):
            return ReadyImage(digest, (tree_of(digest),), ImageConfig())
        parts = self.parts(digest)
        if parts is None or not self._is_unpacked(parts):
            raise FatalError(f"image {digest} is not on this machine", hint="run `up` again to pull it")
        layers: list[str] = []
        with file_errors(f"image {digest}"):
            for chain_id in reversed(parts.chain_ids()):
                layers.append(self._snapshots.layer(chain_id))
                if _is_opaque(layers[-1]):  # overlayfs does not check the root
                    break
        if parts.base:
            layers = [*(layers if parts.diff_ids else ()), tree_of(parts.base)]
        return ReadyImage(digest, tuple(layers), parts.config)

    def _pull(self, spec: ImageSpec, reference: Local, platform: Platform) -> Image:
        text = spec.reference
        entry = self._content.entry(text)
        exists = os.path.exists(reference.path)
        usable = entry and _is_for(entry, platform) and (exists or spec.pull_policy != "always")
        if entry and usable and self._is_current(entry, reference):
            return self._unchanged(spec, entry)
        if spec.pull_policy == "never":
            hint = "change pull_policy, or run `orchestra pull --policy missing` first"
            raise FatalError(f"image {text} is not ready, and its pull_policy is never", hint=hint)
        if not exists:
            raise FatalError(f"image {text}: {reference.path} does not exist", hint="make it, or correct the path")
        with file_errors(f"image {text}"):
            stamp = None if isinstance(reference, OciDirectory) else stamp_of(reference.path)
        with opened_source(reference, text, self._content.scratch()) as source:
            return self._adopt(source, spec, text, platform, stamp.text if stamp and stamp.settled else "")

    def _pull_name(self, spec: ImageSpec, name: ImageName, platform: Platform) -> Image:
        text = spec.reference
        entry = self._content.entry(str(name))
        here = entry is not None and _is_for(entry, platform) and self._is_complete(entry, f"image {text}")
        if entry and here and spec.pull_policy in CONTENT:
            return self._unchanged(spec, entry)
        if spec.pull_policy == "build":
            raise FatalError(f"image {text} has not been built", hint="run `orchestra build`")
        if spec.pull_policy == "never":
            hint = "get it with `orchestra image pull`, `load` or `tag`, or change pull_policy or image"
            raise FatalError(f"image {text} is not on this machine, and its pull_policy is never", hint=hint)
        # The library costs as much as the rest of a supervisor, and most supervisors never ask a registry.
        from orchestra.driver.local.image.registry import Access
        from orchestra.driver.local.image.registry.source import opened_registry

        access = self._access or (Access() if self.environment is None else Access(self.environment))
        with opened_registry(name, text, access) as source:
            if entry and here and source.digest() == entry.source:
                return self._unchanged(spec, entry)
            return self._adopt(source, spec, str(name), platform)

    def _find_by_id(self, spec: ImageSpec, text: str) -> Image | None:
        """The image on this machine that an id means; None for a name. An image is never pulled by its id.

        As in Docker, a name wins over the beginning of an id. Raises FatalError for an id that no image here has.
        """
        if not may_be_id(text) or (not is_id(text) and self._content.entry(str(parse_name(text)))):
            return None
        for entry, parts in find_by_id(self._content, text):
            if spec.platform and not _is_for(entry, _platform(spec.platform)):
                hint = f"leave out the platform, or use an image for {spec.platform}"
                raise FatalError(f"image {text} is for {entry.platform}, not for {spec.platform}", hint=hint)
            if parts is not None and self._is_complete(entry, f"image {text}"):
                self._by_id[text] = replace(entry, pulled_at=time.time())
                return self._image(spec, entry.digest, self._by_id[text].pulled_at)
        if is_id(text):
            hint = "an image cannot be pulled by its ID: use a name, or NAME@DIGEST"
            raise FatalError(f"image {text} is not on this machine", hint=hint)
        return None

    def measure(self, spec: ImageSpec) -> tuple[int, int] | None:
        """Bytes of the layers that are here, and of all; None unless this store is pulling them."""
        digest = self._coming.get(spec.key)
        parts = self.parts(digest) if digest else None
        if parts is None:
            return None
        sizes = {layer.digest: layer.size for layer in parts.layers}
        fetched = sum(min(size, self._content.arrived(digest)) for digest, size in sizes.items())
        return fetched, sum(sizes.values())

    def _unchanged(self, spec: ImageSpec, entry: Stored) -> Image:
        """The image as it is here. Its source was asked, unless the policy takes existing images as they are."""
        if spec.pull_policy not in CONTENT:
            entry = replace(entry, pulled_at=time.time())
            self._content.put_entry(entry)
        return self._image(spec, entry.digest, entry.pulled_at)

    def _adopt(self, source: Source, spec: ImageSpec, name: str, platform: Platform, stamp: str = "") -> Image:
        """Fetch, unpack, and only then remember it as ``name``."""
        pulled_at = time.time()
        manifest, _ = source.fetch(platform, self._content)
        self._coming[spec.key] = manifest.digest
        try:
            self._unpack(manifest.digest, f"image {spec.reference}", source.arrival)
        finally:
            self._coming.pop(spec.key, None)
        self._content.put_entry(
            Stored(
                reference=name,
                source=source.digest(),
                digest=manifest.digest,
                size=manifest.size,
                platform=str(platform),
                stamp=stamp,
                media_type=manifest.media_type,
                pulled_at=pulled_at,
            )
        )
        return self._image(spec, manifest.digest, pulled_at)

    def _image(self, spec: ImageSpec, digest: str, pulled_at: float) -> Image:
        parts = self.parts(digest)
        return Image(spec.key, digest, pulled_at, parts.config.healthcheck if parts else None)

    def _is_complete(self, entry: Stored, what: str) -> bool:
        """Whether all of it is here. Unpacks layers again that are no longer unpacked."""
        parts = self.parts(entry.digest)
        if parts is None:
            return False
        if not self._is_unpacked(parts):
            if any(self._content.size(layer.digest) != layer.size for layer in parts.layers):
                return False
            self._unpack(entry.digest, what)
        return True

    def unpack(self, digest: str, what: str) -> None:
        """Unpack an image of the content store, which the caller holds."""
        self._unpack(digest, what)

    def _unpack(self, digest: str, what: str, arrival: Callable[[str], Arrival] = lambda _: HERE) -> None:
        """arrival: of a layer's blob."""
        parts = self.parts(digest)
        if parts is None:
            raise FatalError(f"{what} is missing from the content store", hint="run `up` again")
        if parts.diff_ids and self._is_unpacked(parts):
            return
        from orchestra.driver.local.image.layers.layer import Layer
        from orchestra.driver.local.image.layers.parallel import commit_layers

        self._snapshots.remove_unfinished()
        if not parts.diff_ids:
            self._snapshots.commit(EMPTY_LAYER, lambda _: None)
        layers = [
            Layer(chain_id, blob.digest, blob.size, diff_id, f"{what}: layer {blob.digest}")
            for chain_id, blob, diff_id in zip(parts.chain_ids(), parts.layers, parts.diff_ids, strict=False)
        ]
        commit_layers(self._home, self._content, self._snapshots, layers, arrival)

    def _is_current(self, entry: Stored, reference: Local) -> bool:
        """Whether the image is unpacked and the reference still names it, or names nothing any more."""
        parts = self.parts(entry.digest)
        if parts is None or not self._is_unpacked(parts):
            return False
        try:
            stamp = None if isinstance(reference, OciDirectory) else stamp_of(reference.path)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        if stamp and entry.stamp == stamp.text:
            return True
        if stamp is None and not os.path.exists(reference.path):
            return True
        return self._names(reference, entry.reference, stamp) == entry.source

    def _names(self, reference: Local, text: str, stamp: Stamp | None) -> str:
        """The source digest. Archives are opened once per stamp, image layouts each time, which is as cheap."""
        known = self._named.get(text)
        if stamp and known and known[0] == stamp.text:
            return known[1]
        with opened_source(reference, text, self._content.scratch()) as source:
            found = source.digest()
        if stamp and stamp.settled:
            self._named[text] = (stamp.text, found)
        return found

    def _still_is(self, entry: Stored, reference: Local | Registry) -> bool:
        """Whether the image is unpacked and, as far as is known, what the reference names."""
        if not isinstance(reference, Registry):
            return self._is_current(entry, reference)
        parts = self.parts(entry.digest)
        return parts is not None and self._is_unpacked(parts)

    def _is_unpacked(self, parts: Parts) -> bool:
        return all(self._snapshots.has(chain_id) for chain_id in parts.chain_ids())

    def parts(self, digest: str) -> Parts | None:
        """None if its documents are not in the content store."""
        parts = self._parts.get(digest) or load_parts(self._content, digest)
        if parts is not None:
            self._parts[digest] = parts
        return parts


def _name(spec: ImageSpec, reference: Local | Registry) -> str:
    """The key under which it is remembered."""
    return str(parse_name(reference.name)) if isinstance(reference, Registry) else spec.reference


def _platform(text: str) -> Platform:
    return parse_platform(text, os.uname().machine)


def _is_for(entry: Stored, platform: Platform) -> bool:
    return _platform(entry.platform).is_same(platform)


def _is_opaque(directory: str) -> bool:
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return is_opaque(fd)
    finally:
        os.close(fd)
