"""Removing what nothing refers to: blobs, unpacked layers, and the remains of downloads.

Roots are the references and the containers of every stack of the home, running or not; layers that builds remember
(``build.records``) are kept too. A collection runs alone: a
caller that pulls, loads or makes a container holds the store (``ContentStore.held``) until the result is a root.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from orchestra.driver.local.build.records import StepRecords
from orchestra.driver.local.image.content.indexes import members_here, members_of, named_images
from orchestra.driver.local.image.content.nameless import find_nameless
from orchestra.driver.local.image.content.parts import EMPTY_LAYER, load_parts
from orchestra.driver.local.image.content.store import ContentStore
from orchestra.driver.local.image.tree import PREFIX
from orchestra.driver.local.kept import kept_names, load_kept
from orchestra.driver.local.look import RECORD
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.errors import FatalError
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from orchestra.home import Home, StackHome


class Collected(NamedTuple):
    """size: bytes, including those of unpacked layers."""

    blobs: int
    layers: int
    size: int


class User(NamedTuple):
    """A container that needs an image: its own, or one that it mounts."""

    stack: str
    name: str
    digest: str


def containers(home: Home) -> Iterator[User]:
    """Of every stack of this home.

    A container whose record cannot be read stops the collection: it may need anything.
    """
    for stack in sorted({*_list(home.stacks_run), *_list(home.stacks_data)}):
        stack_home = home.stack(stack)
        for name in sorted({*kept_names(stack_home), *_list(stack_home.containers)}):
            digests = _digests_kept(stack_home, name) | _digests(f"{stack_home.container(name)}/{RECORD}")
            yield from (User(stack, name, digest) for digest in sorted(digests) if not digest.startswith(PREFIX))


def _digests(path: str) -> set[str]:
    try:
        with open(path, "rb") as file:
            container = json.load(file)["container"]
        return {container["image_digest"], *container.get("mounted_images", {}).values()}
    except FileNotFoundError:
        return set()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FatalError(f"{path} cannot be read: {error}", hint="run `orchestra system prune` first") from error


def _digests_kept(stack_home: StackHome, name: str) -> set[str]:
    """Of a container that becomes whole again after a reboot."""
    kept = load_kept(stack_home, name)
    if kept is None:
        return set()
    made = kept.record.container
    return {made.image_digest, *made.mounted_images.values()}


def collect(home: Home, wait: Callable[[], None] = lambda: None) -> Collected:
    """wait: see ``ContentStore.collecting``."""
    content, snapshots = ContentStore(home.content), Snapshotter(home)
    with content.collecting(wait):
        roots = named_images(content, content.entries().values())
        tops = {entry.source for entry in content.entries().values()}
        roots |= {user.digest for user in containers(home)}
        blobs, layers = _reached(content, roots)
        layers |= StepRecords(home).layers()
        blobs |= _indexes(content, tops)
        doomed = [digest for digest in content.blobs() if digest not in blobs]
        size = content.remove_ingests() + sum(content.remove(digest) for digest in doomed)
        removed, freed = snapshots.remove_layers(layers)
    return Collected(len(doomed), removed, size + freed)


def layers_in_use(home: Home) -> set[str]:
    """Chain ids of the layers of all images and containers."""
    content = ContentStore(home.content)
    roots = named_images(content, content.entries().values()) | {user.digest for user in containers(home)}
    return _reached(content, roots | {stored.digest for stored, _ in find_nameless(content)})[1]


def remove_content(home: Home, digest: str) -> Collected | None:
    """Remove what only the image with this manifest needs; None if a name or a container needs it.

    While ``collecting``.
    """
    content, snapshots = ContentStore(home.content), Snapshotter(home)
    entries = content.entries().values()
    roots = named_images(content, entries) | {user.digest for user in containers(home)}
    if digest in roots:
        return None
    tops = {entry.source for entry in entries}
    roots |= {stored.digest for stored, _ in find_nameless(content) if stored.digest != digest}
    own = load_parts(content, digest)
    blobs, layers = _reached(content, roots)
    doomed = {digest, *((own.config_blob.digest, *own.blobs) if own else ())} - blobs - tops
    size = sum(content.remove(blob) for blob in sorted(doomed))
    chain_ids = set(own.chain_ids() if own else ()) - layers - StepRecords(home).layers()
    removed, freed = snapshots.remove_layers(set(snapshots.chain_ids()) - chain_ids)
    return Collected(len(doomed), removed, size + freed)


def _reached(content: ContentStore, roots: Collection[str]) -> tuple[set[str], set[str]]:
    """Blobs, and chain ids of unpacked layers."""
    blobs: set[str] = set()
    layers: set[str] = {EMPTY_LAYER}
    for digest in roots:
        parts = load_parts(content, digest)
        blobs.add(digest)
        if parts is None:
            raise FatalError(
                f"image {digest} is in use, but its documents are missing, so the layers it needs are unknown",
                hint="run `orchestra image fsck` for details; pull it again, or remove what uses it",
            )
        blobs |= {parts.config_blob.digest, *parts.blobs}
        layers |= set(parts.chain_ids())
    return blobs, layers


def _indexes(content: ContentStore, tops: Collection[str]) -> set[str]:
    """Indexes that references named: they are kept since they are small and record what the name meant. With the
    attestations in them.
    """
    found = {digest for digest in tops if members_of(content, digest)}
    for digest in tuple(found):
        for member in members_here(content, digest):
            if member.is_attestation:
                found |= {member.manifest.digest, *(blob.digest for blob in member.blobs)}
    return found


def _list(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []
