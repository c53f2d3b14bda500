"""Layers of the content store into the snapshots, several at a time: each is made by itself, whatever lies below it.

An archive that goes through directories without an entry of their own is the exception: it is made again when those
below it are there. Python's own part of the work is most of it, so it is done in processes, which begin with a layer
when it begins to be fetched.
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
# Bytes of compressed layers from which on processes of their own are worth their start.
WORTHWHILE = 4 << 20


def commit_layers(
    home: Home,
    content: ContentStore,
    snapshots: Snapshotter,
    layers: Sequence[Layer],
    arrival: Callable[[str], Arrival],
) -> None:
    """All of an image, lowest first. arrival: of a blob. Raises DriverError, with nothing left of what is not whole."""
    missing = [layer for layer in layers if not snapshots.has(layer.chain_id)]
    arrivals = [arrival(layer.blob) for layer in missing]
    # Those that wait for the network need no processor.
    is_coming = not all(each.is_over for each in arrivals)
    processes = min(PROCESSES, len(missing), PROCESSES if is_coming else len(os.sched_getaffinity(0)))
    if (processes > 1 or is_coming) and sum(layer.size for layer in missing) >= WORTHWHILE:
        try:
            _side_by_side(home, processes, layers[0], missing, arrivals)
        except BaseException:
            # Some were killed at it.
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
    # The largest first, as they are fetched: what is left at the end is small.
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
                arrival.end(error)  # nobody waits for them any longer
            unpackers.kill()
            raise
