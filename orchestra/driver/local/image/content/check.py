"""Checking the store: reading and hashing every blob, and following every reference."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestra.driver.local.image.content.parts import load_parts
from orchestra.driver.local.image.content.store import ContentStore
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.errors import FatalError

if TYPE_CHECKING:
    from orchestra.home import Home

CHUNK = 1 << 20


@dataclass
class Report:
    """damaged: digests whose bytes are wrong; incomplete: each image with what it lacks; not_unpacked: images that must
    be unpacked again before use; unfinished: bytes of downloads that broke off and will be continued.
    """

    blobs: int = 0
    size: int = 0
    damaged: list[str] = field(default_factory=list)
    incomplete: dict[str, list[str]] = field(default_factory=dict)
    not_unpacked: list[str] = field(default_factory=list)
    unfinished: int = 0

    @property
    def is_sound(self) -> bool:
        return not self.damaged and not self.incomplete


def check_store(home: Home, *, repair: bool = False) -> Report:
    """repair: remove what is damaged, so that the next pull fetches it again."""
    content, snapshots, report = ContentStore(home.content), Snapshotter(home), Report()
    with content.held():
        for digest in content.blobs():
            found, size = _read(content.path(digest))
            report.blobs += 1
            report.size += size
            if found != digest:
                report.damaged.append(digest)
                if repair:
                    content.remove(digest)
        for reference, entry in sorted(content.entries().items()):
            try:
                parts = load_parts(content, entry.digest)
            except FatalError:
                parts = None
            if parts is None:
                report.incomplete[reference] = [entry.digest]
                continue
            lacking = [layer.digest for layer in parts.layers if content.size(layer.digest) != layer.size]
            lacking += [digest for digest in parts.blobs if digest in report.damaged and digest not in lacking]
            if lacking:
                report.incomplete[reference] = lacking
            if not all(snapshots.has(chain_id) for chain_id in parts.chain_ids()):
                report.not_unpacked.append(reference)
        report.unfinished = content.unfinished()
    return report


def _read(path: str) -> tuple[str, int]:
    digest = hashlib.sha256()
    with file_errors("content store"), open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
        return f"sha256:{digest.hexdigest()}", os.fstat(file.fileno()).st_size
