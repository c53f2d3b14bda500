"""How much builds remember, and forgetting it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, NamedTuple

from orchestra.driver.local.build.records import StepRecords
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.removal import remove_tree, tree_size
from orchestra.driver.local.snapshot import Snapshotter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from orchestra.home import Home

RECORDS = ("steps", "blobs", "contents", "downloads")


class BuildUse(NamedTuple):
    """number: of steps and caches. size: bytes of the caches, and of layers that no image has."""

    number: int
    size: int


def measure_builds(home: Home, of_images: Collection[str]) -> BuildUse:
    """of_images: chain ids of the layers of images."""
    steps, snapshots = StepRecords(home), Snapshotter(home)
    caches = _list(f"{home.builds}/caches")
    own = sum(tree_size(snapshots.layer(chain)) for chain in steps.layers() - set(of_images))
    size = own + sum(tree_size(f"{home.builds}/caches/{name}") for name in caches)
    return BuildUse(len(steps.keys()) + len(caches), size)


def forget_builds(home: Home) -> int:
    """Remove records, and caches that no build uses: layers then go with the next collection.

    While ``ContentStore.collecting``: no build runs. Returns the bytes that are free now.
    """
    freed = 0
    with file_errors("the build cache"):
        for name in RECORDS:
            freed += tree_size(f"{home.builds}/{name}")
            remove_tree(f"{home.builds}/{name}")
        for name in _list(f"{home.builds}/caches"):
            directory = f"{home.builds}/caches/{name}"
            with contextlib.suppress(BlockingIOError), _alone(directory):
                freed += tree_size(directory)
                for part in _list(directory):
                    if part != "lock":
                        remove_tree(f"{directory}/{part}")
    return freed


@contextlib.contextmanager
def _alone(directory: str) -> Iterator[None]:
    lock = os.open(f"{directory}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def _list(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []
