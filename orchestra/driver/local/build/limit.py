"""Keeps what builds remember below a size: what was used least recently goes first, and nothing that is in use.

The size is that of caches, of what was fetched, and of layers that no image and no container has.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from orchestra.driver.local.build.kept import Kept
from orchestra.driver.local.build.records import StepRecords
from orchestra.driver.local.build.upkeep import empty_cache, fetched, mount_caches, remove_leftovers
from orchestra.driver.local.image.content.collect import layers_in_use
from orchestra.driver.local.image.content.parts import chain_ids
from orchestra.driver.local.image.content.store import ContentStore
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.removal import tree_size
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestra.home import Home

MOST = 20 << 30
SHARE = 10


class Busy(Exception):
    """Another build runs."""


class _Step(NamedTuple):
    """used: when it or a step on top of it was last used. chains: of its layers, lowest first. size: of the last."""

    key: str
    used: float
    chains: tuple[str, ...]
    size: int


def default_limit(home: Home) -> int:
    """20 GiB, or a tenth of the file system if that is less."""
    status = os.statvfs(home.data)
    return min(MOST, status.f_blocks * status.f_frsize // SHARE)


def shrink_builds(home: Home, limit: int, wait: Callable[[], None]) -> int:
    """The bytes that were removed. wait: called before waiting for builds that run. Raises what it raises."""
    # An estimate without a look at the images: it counts their layers as well.
    layers = sum(made.size for _, _, made in StepRecords(home).all())
    if layers + sum(one.size for one in _others(home)) <= limit:
        return 0
    with ContentStore(home.content).collecting(wait), file_errors("the build cache"):
        remove_leftovers(home)
        return _shrink(home, limit)


def refuse_to_wait() -> None:
    raise Busy


def _shrink(home: Home, limit: int) -> int:
    snapshots, records, in_use = Snapshotter(home), StepRecords(home), layers_in_use(home)
    steps = list(_steps(home))
    sizes = {step.chains[-1]: step.size for step in steps if step.chains and step.size}
    users = Counter(chain for step in steps for chain in step.chains if chain not in in_use)
    caches, others = set(mount_caches(home)), list(_others(home))

    def size_of(chain: str) -> int:
        # A layer of a base image that is no longer here has no step that knows its size.
        return sizes[chain] if chain in sizes else tree_size(snapshots.layer(chain))

    total = before = sum(map(size_of, users)) + sum(one.size for one in others)
    doomed = set()
    # Of steps that were used together, the topmost first: what is left can still be used.
    everything: list[_Step | Kept] = [*steps, *others]
    for one in sorted(everything, key=lambda one: (one.used, -len(one.chains) if isinstance(one, _Step) else 0)):
        if total <= limit:
            break
        if isinstance(one, Kept):
            if one not in caches:
                one.remove()
            elif not empty_cache(one):
                continue
            total -= one.size
            continue
        records.remove(one.key)
        for chain in one.chains:
            users[chain] -= 1
            if users[chain] == 0:
                doomed.add(chain)
                total -= size_of(chain)
    snapshots.remove_layers(set(snapshots.chain_ids()) - doomed)
    return before - total


def _steps(home: Home) -> Iterator[_Step]:
    found = [
        (key, used, chain_ids(made.tree.diff_ids) if made.tree.diff_ids else (), made.size)
        for key, used, made in StepRecords(home).all()
    ]
    latest: dict[str, float] = {}
    for _, used, chains, _ in found:
        for chain in chains:
            latest[chain] = max(latest.get(chain, used), used)
    for key, used, chains, size in found:
        yield _Step(key, latest[chains[-1]] if chains else used, chains, size)


def _others(home: Home) -> Iterator[Kept]:
    yield from mount_caches(home)
    yield from fetched(home)
