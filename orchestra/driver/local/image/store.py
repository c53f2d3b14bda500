"""Images of one home: made ready, looked at, and resolved to the layers and configuration that containers need."""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestra.driver.local.image.config import ImageConfig, parse_config
from orchestra.driver.local.image.content import ContentStore, Stored
from orchestra.driver.local.image.document import DocumentError, parse_document
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.lookup import is_opaque
from orchestra.driver.local.image.manifest import parse_diff_ids, parse_manifest
from orchestra.driver.local.image.platform import parse_platform
from orchestra.driver.local.image.reference import OciDirectory, Registry, Tree, parse_reference
from orchestra.driver.local.image.source import Stamp, opened_source, stamp_of
from orchestra.driver.local.image.tree import PREFIX, tree_digest, tree_of
from orchestra.driver.local.image.unpack import unpack_layer
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.errors import DriverError, FatalError
from orchestra.state.observed import Image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.driver.local.image.platform import Platform
    from orchestra.driver.local.image.source import Local
    from orchestra.home import Home
    from orchestra.state.desired import ImageSpec

# The one layer of an image that has none: overlayfs wants something below the writable directory.
EMPTY_LAYER = f"sha256:{hashlib.sha256(b'').hexdigest()}"


@dataclass(frozen=True, slots=True)
class ReadyImage:
    """layers: absolute directories, topmost first, as overlayfs' ``lowerdir`` wants them."""

    digest: str
    layers: tuple[str, ...]
    config: ImageConfig


@dataclass(frozen=True, slots=True)
class _Parts:
    """What an image consists of. blobs and diff_ids: lowest layer first, of equal length."""

    blobs: tuple[str, ...]
    diff_ids: tuple[str, ...]
    config: ImageConfig

    def chain_ids(self) -> tuple[str, ...]:
        """OCI image-spec, "Layer ChainID": a layer together with all below it."""
        chain: list[str] = []
        for diff_id in self.diff_ids:
            joined = f"{chain[-1]} {diff_id}".encode() if chain else b""
            chain.append(f"sha256:{hashlib.sha256(joined).hexdigest()}" if joined else diff_id)
        return tuple(chain) or (EMPTY_LAYER,)


class ImageStore:
    """Safe across threads and processes."""

    def __init__(self, home: Home) -> None:
        self._content = ContentStore(home.content)
        self._snapshots = Snapshotter(home)
        # By digest, which never comes to mean something else.
        self._parts: dict[str, _Parts] = {}
        # By reference: the stamp of its archive, and the source digest it had then.
        self._named: dict[str, tuple[str, str]] = {}

    def pull(self, spec: ImageSpec) -> Image:
        """Make the image ready: content verified, layers unpacked. Idempotent.

        Its platform is that of ``spec``, else the machine's. pull_policy ``never``: only what is ready already. A
        reference whose archive or directory is gone keeps naming what it did, unless pull_policy is ``always``.
        """
        match parse_reference(spec.reference):
            case Tree(path):
                return Image(spec.reference, tree_digest(path))
            case Registry(name):
                raise FatalError(
                    f"image {name}: pulling from a registry is not supported yet",
                    hint=f"fetch it once with `skopeo copy docker://{name} oci-archive:image.tar` and write "
                    "`image: oci-archive:./image.tar`",
                )
            case local:
                return self._pull(spec, local, parse_platform(spec.platform, os.uname().machine))

    def observe(self, references: Iterable[str]) -> dict[str, Image]:
        """Those that are ready, and still what their reference names now."""
        found: dict[str, Image] = {}
        entries: dict[str, Stored] | None = None
        for text in references:
            try:
                match parse_reference(text):
                    case Tree(path):
                        found[text] = Image(text, tree_digest(path))
                    case Registry():
                        continue
                    case local:
                        entries = self._content.entries() if entries is None else entries
                        if (entry := entries.get(text)) and self._is_current(entry, local):
                            found[text] = Image(text, entry.digest)
            except DriverError:
                continue  # whatever is wrong with it, it is not ready; pulling says why
        return found

    def resolve(self, digest: str) -> ReadyImage:
        """Raises FatalError when the image is not ready."""
        if digest.startswith(PREFIX):
            return ReadyImage(digest, (tree_of(digest),), ImageConfig())
        parts = self._load(digest)
        if parts is None or not self._is_unpacked(parts):
            raise FatalError(f"image {digest} is not on this machine", hint="run `up` again to make it ready")
        layers: list[str] = []
        with file_errors(f"image {digest}"):
            for chain_id in reversed(parts.chain_ids()):
                layers.append(self._snapshots.layer(chain_id))
                if _is_opaque(layers[-1]):  # overlayfs does not ask at the root
                    break
        return ReadyImage(digest, tuple(layers), parts.config)

    def _pull(self, spec: ImageSpec, reference: Local, platform: Platform) -> Image:
        text = spec.reference
        entry = self._content.entry(text)
        exists = os.path.exists(reference.path)
        usable = entry and entry.platform == str(platform) and (exists or spec.pull_policy != "always")
        if entry and usable and self._is_current(entry, reference):
            return Image(text, entry.digest)
        if spec.pull_policy == "never":
            hint = "change pull_policy, or run `orchestra pull` with another one first"
            raise FatalError(f"image {text} is not ready, and its pull_policy is never", hint=hint)
        if not exists:
            raise FatalError(f"image {text}: {reference.path} does not exist", hint="make it, or correct the path")
        with file_errors(f"image {text}"):
            stamp = None if isinstance(reference, OciDirectory) else stamp_of(reference.path)
        with opened_source(reference, text, self._content.scratch()) as source:
            named = source.digest()
            manifest, _ = source.fetch(platform, self._content)
        self._unpack(manifest.digest, f"image {text}")
        self._content.put_entry(
            Stored(
                reference=text,
                source=named,
                digest=manifest.digest,
                size=manifest.size,
                platform=str(platform),
                stamp=stamp.text if stamp and stamp.settled else "",
                media_type=manifest.media_type,
            )
        )
        return Image(text, manifest.digest)

    def _unpack(self, digest: str, what: str) -> None:
        parts = self._load(digest)
        if parts is None:
            raise FatalError(f"{what} vanished from the content store", hint="run `up` again")
        self._snapshots.remove_unfinished()
        chain_ids = parts.chain_ids()
        if not parts.diff_ids:
            self._snapshots.commit(EMPTY_LAYER, lambda _: None)
        below: tuple[str, ...] = ()
        for chain_id, blob, diff_id in zip(chain_ids, parts.blobs, parts.diff_ids, strict=False):
            fill = functools.partial(self._fill, blob, diff_id, below, f"{what}: layer {blob}")
            below = (self._snapshots.commit(chain_id, fill), *below)

    def _fill(self, blob: str, diff_id: str, below: tuple[str, ...], what: str, directory: str) -> None:
        with file_errors(what), self._content.open(blob) as stream:
            found = unpack_layer(stream, directory, below=below, what=what)
        if found != diff_id:
            raise FatalError(f"{what} unpacks to {found}, not to {diff_id}", hint="fetch or make the image again")

    def _is_current(self, entry: Stored, reference: Local) -> bool:
        """Whether the image is unpacked and the reference still names it, or has lost what it named."""
        parts = self._load(entry.digest)
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
        """The source digest. Archives are looked into once per stamp, image layouts each time: that is as cheap."""
        known = self._named.get(text)
        if stamp and known and known[0] == stamp.text:
            return known[1]
        with opened_source(reference, text, self._content.scratch()) as source:
            found = source.digest()
        if stamp and stamp.settled:
            self._named[text] = (stamp.text, found)
        return found

    def _is_unpacked(self, parts: _Parts) -> bool:
        return all(self._snapshots.has(chain_id) for chain_id in parts.chain_ids())

    def _load(self, digest: str) -> _Parts | None:
        """None when its documents are not in the content store."""
        if digest in self._parts:
            return self._parts[digest]
        data = self._content.read(digest)
        try:
            manifest = parse_manifest(data) if data is not None else None
            config = self._content.read(manifest.config.digest) if manifest else None
            if manifest is None or config is None:
                return None
            document = parse_document(config)
            diff_ids = parse_diff_ids(document)
            if len(diff_ids) != len(manifest.layers):
                raise DocumentError(f"has {len(manifest.layers)} layers, but its config {len(diff_ids)}")
            parts = _Parts(tuple(layer.digest for layer in manifest.layers), diff_ids, parse_config(document))
        except DocumentError as error:
            raise FatalError(f"image {digest}: {error}", hint="make the image again") from error
        self._parts[digest] = parts
        return parts


def _is_opaque(directory: str) -> bool:
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return is_opaque(fd)
    finally:
        os.close(fd)
