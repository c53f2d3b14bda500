"""Unpacking layers into the snapshots, several at a time: each is made by itself, whatever is below it.

An archive that goes through directories without an entry for them is the exception: it is unpacked again once the
layers below it are there. Most of the work is Python's own, so it is done in processes, which begin with a layer as
soon as its download begins.
"""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from orchestra.driver.local.image.layers.layer import Layer, commit_layer
from orchestra.driver.local.image.layers.unpackers import Unpackers
from orchestra.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.driver.local.image.content.arrival import Arrival
    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.driver.local.snapshot import Snapshotter
    from orchestra.home import Home

PROCESSES = 4
# Compressed bytes for which starting processes is worthwhile.
WORTHWHILE = 4 << 20


def commit_layers(
    home: Home,
    content: ContentStore,
    snapshots: Snapshotter,
    layers: Sequence[Layer],
    arrival: Callable[[str], Arrival],
) -> None:
    """All of an image, lowest first. arrival: of a blob. Raises DriverError, and leaves nothing incomplete."""
    missing = [layer for layer in layers if not snapshots.has(layer.chain_id)]
    arrivals = [arrival(layer.blob) for layer in missing]
    # Layers that wait for the network need no processor.
    is_coming = not all(each.is_over for each in arrivals)
    processes = min(PROCESSES, len(missing), PROCESSES if is_coming else len(os.sched_getaffinity(0)))
    if (processes > 1 or is_coming) and sum(layer.size for layer in missing) >= WORTHWHILE:
        try:
            _side_by_side(home, processes, layers[0], missing, arrivals)
        except BaseException:
            # Some processes were killed while unpacking.
            with contextlib.suppress(DriverError):
                snapshots.remove_unfinished()
            raise
    below: tuple[str, ...] = ()
    for layer in layers:
        if not snapshots.has(layer.chain_id):
            arrival(layer.blob).wait()
        below = (commit_layer(content, snapshots, layer, below), *below)


def _side_by_side(
    home: Home, processes: int, lowest: Layer, missing: Sequence[Layer], arrivals: Sequence[Arrival]
) -> None:
    # The largest first, in the order of the downloads: little is left to do at the end.
    ordered = sorted(zip(missing, arrivals, strict=True), key=lambda pair: -pair[0].size)
    with Unpackers(home, processes) as unpackers, ThreadPoolExecutor(processes, "unpack") as pool:
        try:
            futures = [
                pool.submit(unpackers.commit, layer, arrival, is_lowest=layer == lowest) for layer, arrival in ordered
            ]
            wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                if future.done():
                    future.result()
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for arrival in arrivals:
                arrival.end(error)  # so that nothing waits for them
            unpackers.kill()
            raise
