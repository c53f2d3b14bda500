"""Results of a build for builds elsewhere (``cache_to``): a manifest of layers whose configuration is a cache document.

An inline cache is the same document as a member of the image's own configuration.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from orchestra.build.cache import CachedStep, CacheType, render_cache
from orchestra.build.step import Copy, MakeDirectory, Run, is_made
from orchestra.driver.local.image.documents.manifest import INDEX, MANIFEST, NAME, Descriptor
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.naming.name import parse_name
from orchestra.errors import FatalError
from orchestra.model.document import DocumentError, mappings, parse_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.build.cache import CacheTarget
    from orchestra.build.step import Graph
    from orchestra.driver.local.build.records import Made
    from orchestra.driver.local.image.content.store import ContentStore

CACHE_CONFIG = "application/vnd.orchestra.build-cache.v1+json"
INLINE = "io.orchestra.build-cache"
DIFF_ID = "containerd.io/uncompressed"
"""The annotation by which containerd and BuildKit tell the digest of a layer before it was compressed."""


def cached_steps(
    graph: Graph, made: Mapping[int, Made], keys: Mapping[int, str], epoch: int | None, *, every: bool
) -> list[CachedStep]:
    """What other builds can take over. made, keys: of steps. epoch: the newest time that may be in it.

    every: of all stages, not only of the one that is the result.
    """
    numbers: list[int] = []
    number = graph.result.tree
    while isinstance(step := graph.steps[number], Copy | MakeDirectory | Run):
        numbers.insert(0, number)
        number = step.base
    if every:
        numbers = [number for number in sorted(made) if is_made(graph.steps[number])]
    found = []
    for number in numbers:
        one = made[number]
        # What lies on a directory of this machine means nothing elsewhere.
        if not one.tree.base:
            created = one.created if epoch is None else min(one.created, epoch)
            found.append(CachedStep(keys[number], one.tree.diff_ids, one.grew, created, one.name))
    return found


def export_cache(
    content: ContentStore, target: CacheTarget, steps: Sequence[CachedStep], layers: Mapping[str, Mapping[str, Any]]
) -> None:
    """layers: descriptors of blobs that the content store has, by diff id. Raises DriverError."""
    rows = [{**descriptor, "annotations": {DIFF_ID: diff_id}} for diff_id, descriptor in layers.items()]
    config = _add(content, CACHE_CONFIG, render_cache(steps))
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": config.media_type, "digest": config.digest, "size": config.size},
        "layers": rows,
    }
    manifest = _add(content, MANIFEST, document)
    blobs = (config, *(Descriptor(row["mediaType"], row["digest"], row["size"]) for row in rows))
    if target.type is CacheType.LOCAL:
        _write(content, target, manifest, blobs)
        return
    from orchestra.driver.local.image.registry import Access
    from orchestra.driver.local.image.registry.push import push_image

    push_image(content, manifest, blobs, parse_name(target.place), Access())


def _add(content: ContentStore, media_type: str, document: Mapping[str, Any]) -> Descriptor:
    data = json.dumps(document, separators=(",", ":")).encode()
    return Descriptor(media_type, content.add_document(data), len(data))


def _write(content: ContentStore, target: CacheTarget, manifest: Descriptor, blobs: Sequence[Descriptor]) -> None:
    """Into an OCI image layout, beside what it has. Files get their names when they are complete, the index last."""
    directory = target.place
    with file_errors(f"cache {directory}"):
        os.makedirs(f"{directory}/blobs/sha256", exist_ok=True)
        for blob in (*blobs, manifest):
            path = f"{directory}/blobs/{blob.digest.replace(':', '/', 1)}"
            if not os.path.exists(path):
                growing = f"{path}.{os.urandom(4).hex()}"
                with content.open(blob.digest) as source, open(growing, "xb") as file:
                    shutil.copyfileobj(source, file)
                os.rename(growing, path)
        _store(f"{directory}/oci-layout", {"imageLayoutVersion": "1.0.0"})
        row = {
            "mediaType": manifest.media_type,
            "digest": manifest.digest,
            "size": manifest.size,
            "annotations": {NAME: target.tag},
        }
        others = [one for one in _listed(directory) if (one.get("annotations") or {}).get(NAME) != target.tag]
        _store(f"{directory}/index.json", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*others, row]})


def _listed(directory: str) -> tuple[Mapping[str, Any], ...]:
    try:
        with open(f"{directory}/index.json", "rb") as file:
            return mappings(parse_document(file.read()), "manifests")
    except FileNotFoundError:
        return ()
    except DocumentError as error:
        raise FatalError(f"{directory}/index.json {error}", hint="remove it, or give another directory") from error


def _store(path: str, document: Mapping[str, Any]) -> None:
    growing = f"{path}.{os.urandom(4).hex()}"
    with open(growing, "x", encoding="ascii") as file:
        json.dump(document, file)
    os.rename(growing, path)
