"""How much builds remember, and forgetting it."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from orchestra.driver.local.build.kept import USED, kept_in
from orchestra.driver.local.build.records import StepRecords
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.removal import remove_tree, tree_size
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from orchestra.driver.local.build.kept import Kept
    from orchestra.home import Home

TEMPORARY = "temporary-"
"""What the names of files begin with that are there while a build runs: unpacked contexts, and sockets."""

RECORDS = ("steps", "blobs", "contents", "downloads", "contexts")


class BuildUse(NamedTuple):
    """number: of steps, caches, and files and repositories that were fetched. size: their bytes; of layers, those that
    no image has.
    """

    number: int
    size: int


def measure_builds(home: Home, of_images: Collection[str]) -> BuildUse:
    """of_images: chain ids of the layers of images."""
    steps, snapshots = StepRecords(home), Snapshotter(home)
    others = [*mount_caches(home), *fetched(home)]
    own = sum(tree_size(snapshots.layer(chain)) for chain in steps.layers() - set(of_images))
    return BuildUse(len(steps.keys()) + len(others), own + sum(tree_size(one.path) for one in others))


def mount_caches(home: Home) -> Iterator[Kept]:
    """Those of ``RUN --mount=type=cache`` that have anything in them."""
    for one in kept_in(f"{home.builds}/caches"):
        if os.listdir(one.path) != ["lock"]:
            yield one


def fetched(home: Home) -> Iterator[Kept]:
    """Files and commits that ADD has fetched, and contexts from Git repositories."""
    for kind in ("downloads", "contexts/git"):
        for origin in _list(f"{home.builds}/{kind}"):
            yield from (one for one in kept_in(f"{home.builds}/{kind}/{origin}") if os.path.isdir(one.path))


def forget_builds(home: Home) -> int:
    """Remove records, and caches that no build uses: layers then go with the next collection.

    While ``ContentStore.collecting``: no build runs. Returns the bytes that are free now.
    """
    freed = 0
    with file_errors("the build cache"):
        remove_leftovers(home)
        for name in RECORDS:
            freed += tree_size(f"{home.builds}/{name}")
            remove_tree(f"{home.builds}/{name}")
        for cache in mount_caches(home):
            freed += cache.size if empty_cache(cache) else 0
    return freed


def remove_leftovers(home: Home) -> None:
    """What killed builds have left. While ``ContentStore.collecting``."""
    for name in _list(home.builds):
        if name.startswith(TEMPORARY):
            remove_tree(f"{home.builds}/{name}")


def empty_cache(cache: Kept) -> bool:
    """Whether it is empty now; not while a command uses it. Its lock stays: another command may be waiting for it."""
    lock = os.open(f"{cache.path}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for part in _list(cache.path):
            if part != "lock":
                remove_tree(f"{cache.path}/{part}")
        remove_tree(f"{cache.path}{USED}")
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _list(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []
