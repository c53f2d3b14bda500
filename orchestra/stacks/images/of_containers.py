"""``images``: the images that a stack's containers were created from."""

from __future__ import annotations

from orchestra.stacks.containers import ContainerRow, Seen, find_stack, ignore, look_at_containers, survey
from orchestra.stacks.images.library import Item, open_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.stacks.context import Context
    from orchestra.stacks.images.library import Library


def images_of_containers(
    context: Context, services: Sequence[str], tell: Callable[[Seen], None] = ignore
) -> list[tuple[ContainerRow, list[Item]]]:
    """The image of each container, under each of its names; none for a directory tree. services: empty for all.

    Raises UserError for a service that neither the file nor any container has.
    """
    library = open_library(context)
    known = find_stack(context)
    there = look_at_containers(context, known.stack)
    survey(known, there, services, tell)
    wanted = [container for container in there if not services or container.service in services]
    by_digest = _items(library, {container.image_digest for container in wanted})
    return [(container, by_digest.get(container.image_digest, [])) for container in wanted]


def _items(library: Library, digests: set[str]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in library.items():
        found.setdefault(item.entry.digest, []).append(item)
    if digests - set(found):  # the name of an image in use may refer to another one now
        for item in library.nameless():
            found.setdefault(item.entry.digest, []).append(item)
    return found
