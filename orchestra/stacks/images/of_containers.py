"""``images``: the images that a stack's containers were made from."""

from __future__ import annotations

from orchestra.record import Record
from orchestra.stacks.containers import ContainerRow, check_known, damage_of, find_stack, look_at_containers
from orchestra.stacks.images.library import Item, open_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.stacks.context import Context
    from orchestra.stacks.images.library import Library


class ContainerImages(Record):
    """images: of each container by each of its names; none for a directory tree. exist: whether there are containers.

    damage: files that cannot be read, in words.
    """

    images: list[tuple[ContainerRow, list[Item]]]
    exist: bool
    damage: list[str]


def images_of_containers(context: Context, services: Sequence[str]) -> ContainerImages:
    """services: empty for all. Raises UserError for one that neither the file nor any container knows."""
    library = open_library(context)
    known = find_stack(context)
    there = look_at_containers(context, known.stack)
    check_known(services, known.services, (container.service for container in there))
    wanted = [container for container in there if not services or container.service in services]
    by_digest = _items(library, {container.image_digest for container in wanted})
    pairs = [(container, by_digest.get(container.image_digest, [])) for container in wanted]
    return ContainerImages(pairs, bool(there), damage_of(there))


def _items(library: Library, digests: set[str]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in library.items():
        found.setdefault(item.entry.digest, []).append(item)
    if digests - set(found):  # the name of one that is in use may mean another by now
        for item in library.nameless():
            found.setdefault(item.entry.digest, []).append(item)
    return found
