"""What takes space in a home, and how much of it could be reclaimed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestra.driver.local.build.records import StepRecords
from orchestra.driver.local.build.upkeep import measure_builds
from orchestra.driver.local.image.library import Library
from orchestra.driver.local.image.removal import tree_size
from orchestra.driver.local.look import look_at_containers
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.driver.local.volume.store import DATA, load_record
from orchestra.named_tuple import NamedTuple
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from orchestra.driver.local.build.upkeep import BuildUse
    from orchestra.driver.local.image.library import Item
    from orchestra.home import Home

    Encoded = dict[str, Any]

_LOG = regex(r"(.+)\.log(?:\.\d+)?")


class ImageUse(NamedTuple):
    """items: the image by each of its names. Bytes on disk, of blobs and unpacked layers: size in all, shared with
    other images. containers: how many were made from it.
    """

    items: list[Item]
    size: int
    shared: int
    containers: int


class ContainerUse(NamedTuple):
    """size: bytes that it has written over its image. container: encoded, see ``look_at_containers``."""

    stack: str
    container: Encoded
    size: int

    @property
    def is_running(self) -> bool:
        return bool(self.container["status"]["kind"] == "Running")


class VolumeUse(NamedTuple):
    name: str
    size: int
    containers: int


class LogUse(NamedTuple):
    """is_kept: its container exists."""

    stack: str
    name: str
    size: int
    is_kept: bool


class Total(NamedTuple):
    """Bytes of all things of a kind, and of those not in use."""

    kind: str
    number: int
    active: int
    size: int
    reclaimable: int


class Disk(NamedTuple):
    """images_size: bytes of all images, each once, and of everything else in the content store, such as downloads that
    broke off; images_reclaimable: the part of these that no container needs.
    """

    images: list[ImageUse]
    containers: list[ContainerUse]
    volumes: list[VolumeUse]
    logs: list[LogUse]
    images_size: int
    images_reclaimable: int
    builds: BuildUse

    def totals(self) -> list[Total]:
        used = [image for image in self.images if image.containers]
        ended = sum(use.size for use in self.containers if not use.is_running)
        running = sum(use.is_running for use in self.containers)
        idle = sum(volume.size for volume in self.volumes if not volume.containers)
        mounted = sum(bool(volume.containers) for volume in self.volumes)
        old = sum(log.size for log in self.logs if not log.is_kept)
        kept = sum(log.is_kept for log in self.logs)
        return [
            Total("Images", len(self.images), len(used), self.images_size, self.images_reclaimable),
            Total("Containers", len(self.containers), running, sum(use.size for use in self.containers), ended),
            Total("Local Volumes", len(self.volumes), mounted, sum(volume.size for volume in self.volumes), idle),
            Total("Build Cache", self.builds.number, 0, self.builds.size, self.builds.size),
            Total("Logs", len(self.logs), kept, sum(log.size for log in self.logs), old),
        ]


def measure(home: Home) -> Disk:
    """Files of running containers may come and go meanwhile."""
    containers = list(_containers(home))
    used = [use.container["image_digest"] for use in containers]
    used += [digest for use in containers for digest in use.container.get("mounted_images", {}).values()]
    images, size, reclaimable = _images(home, used)
    of_images = {chain for use in images for item in use.items if item.parts for chain in item.parts.chain_ids()}
    there = {(use.stack, use.container["name"]) for use in containers}
    return Disk(
        images=images,
        containers=containers,
        volumes=list(_volumes(home, [use.container for use in containers])),
        logs=list(_logs(home, there)),
        images_size=size,
        images_reclaimable=reclaimable,
        builds=measure_builds(home, of_images),
    )


def _containers(home: Home) -> Iterator[ContainerUse]:
    for stack in _list(home.stacks_run):
        for container in look_at_containers(home.stack(stack)):
            path = f"{home.snapshots}/containers/{stack}/{container['name']}"
            yield ContainerUse(stack, container, tree_size(path))


def _images(home: Home, used: list[str]) -> tuple[list[ImageUse], int, int]:
    """Images, bytes of all of them and everything else in the content store, and bytes that no container needs."""
    library = Library(home)
    content = library.content
    sizes = {digest: max(0, content.size(digest)) for digest in content.blobs()}
    sizes |= {f"layer {chain_id}": size for chain_id, size in Snapshotter(home).layer_sizes().items()}
    by_digest: dict[str, list[Item]] = {}
    for item in (*library.items(), *library.nameless()):
        by_digest.setdefault(item.entry.digest, []).append(item)
    parts = {digest: _parts_of(items[0]) & sizes.keys() for digest, items in by_digest.items()}
    # Layers that only builds remember are no part of images.
    of_builds = {f"layer {chain_id}" for chain_id in StepRecords(home).layers()}
    of_images = set().union(*parts.values())
    sizes = {part: size for part, size in sizes.items() if part in of_images or part not in of_builds}
    images = []
    for digest, items in by_digest.items():
        others = set().union(*(own for other, own in parts.items() if other != digest))
        shared = sum(sizes[part] for part in parts[digest] & others)
        size = sum(sizes[part] for part in parts[digest])
        images.append(ImageUse(items, size, shared, used.count(digest)))
    needed = set().union(*(parts.get(digest, set()) for digest in used))
    unfinished = content.unfinished()
    total = sum(sizes.values()) + unfinished
    return images, total, total - sum(sizes[part] for part in needed)


def _parts_of(item: Item) -> set[str]:
    if item.parts is None:
        return {item.entry.digest}
    layers = {f"layer {chain_id}" for chain_id in item.parts.chain_ids()}
    return {item.entry.digest, item.parts.config_blob.digest, *item.parts.blobs, *layers}


def _volumes(home: Home, containers: list[Encoded]) -> Iterator[VolumeUse]:
    for name in _list(home.volumes):
        if not name.startswith(".") and load_record(home, name) is not None:
            users = sum(name in c.get("volumes", ()) for c in containers)
            yield VolumeUse(name, tree_size(f"{home.volumes}/{name}/{DATA}"), users)


def _logs(home: Home, there: set[tuple[str, str]]) -> Iterator[LogUse]:
    for stack in _list(home.stacks_data):
        sizes: dict[str, int] = {}
        folder = home.stack(stack).logs
        for file in _list(folder):
            if match := _LOG.fullmatch(file):
                sizes[match[1]] = sizes.get(match[1], 0) + _size(f"{folder}/{file}")
        for name, size in sizes.items():
            yield LogUse(stack, name, size, (stack, name) in there)


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_blocks * 512
    except FileNotFoundError:
        return 0  # rotated away


def _list(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []
