"""Unpacking one layer of the content store into the snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.driver.local.image.failure import file_errors
from orchestra.errors import FatalError
from orchestra.record import Record

if TYPE_CHECKING:
    import io
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.driver.local.snapshot import Snapshotter

# Bytes that any layer may unpack to, and how many times its size a larger one may. Files of programs and data unpack
# to less than ten times their size; zeros in gzip to a thousand times.
ALWAYS_ALLOWED = 16 << 30
ALLOWED_RATIO = 100


class Layer(Record):
    """A layer to unpack. blob: its digest, of ``size`` bytes; what: its name in errors."""

    chain_id: str
    blob: str
    size: int
    diff_id: str
    what: str


def commit_layer(
    content: ContentStore,
    snapshots: Snapshotter,
    layer: Layer,
    below: Sequence[str] | None,
    opened: AbstractContextManager[io.BufferedReader] | None = None,
) -> str:
    """Its directory. below: see ``unpack_layer``; opened: the blob, if it is not complete yet.

    Raises BelowNeeded or a DriverError, and leaves nothing of the layer.
    """
    from orchestra.driver.local.image.layers.unpack import unpack_layer

    def fill(directory: str) -> None:
        with file_errors(layer.what), opened or content.open(layer.blob) as stream:
            limit = max(ALWAYS_ALLOWED, ALLOWED_RATIO * layer.size)
            found = unpack_layer(stream, directory, below=below, limit=limit, what=layer.what)
        if found != layer.diff_id:
            hint = "fetch or make the image again"
            raise FatalError(f"{layer.what} unpacks to {found}, not to {layer.diff_id}", hint=hint)

    return snapshots.commit(layer.chain_id, fill)
