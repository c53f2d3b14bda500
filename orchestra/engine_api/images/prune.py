"""Removing images that nothing uses."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from orchestra.driver.local.image.content.collect import containers
from orchestra.engine_api.filters import parse_filters, truth
from orchestra.engine_api.images.look import fits, group, summary
from orchestra.engine_api.images.names import familiar
from orchestra.errors import UserError
from orchestra.stacks.images.library import open_library

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.driver.local.image.library import Item
    from orchestra.engine_api.exchange import Exchange
    from orchestra.engine_api.filters import Filters
    from orchestra.engine_api.world import World


def prune(world: World, exchange: Exchange) -> None:
    """Images without a name; with ``dangling=false`` also those whose names no container uses."""
    filters = parse_filters(exchange.request.query.get("filters", ""), ("dangling", "label", "label!", "until"))
    everything = truth(filters, "dangling") is False
    filters.pop("dangling", None)
    if filters:
        names, ids, size = _remove_fitting(world, filters, everything=everything)
    else:
        pruned = open_library(world.context).prune(everything=everything)
        names, ids, size = pruned.names, pruned.ids, pruned.collected.size
    rows = [{"Untagged": familiar(name)} for name in names] + [{"Deleted": each} for each in ids]
    exchange.answer({"ImagesDeleted": rows or None, "SpaceReclaimed": size})


def _remove_fitting(world: World, filters: Filters, *, everything: bool) -> tuple[list[str], list[str], int]:
    """Removed names, ids of removed images, and bytes freed. What only the others need stays."""
    library = open_library(world.context)
    names: list[str] = []
    ids: list[str] = []
    size = 0
    for item in list(_unused(world, filters, everything=everything)):
        with suppress(UserError):  # it has gone, or a container has been made from it
            removed = library.remove(item.entry.reference or item.id)
            names += filter(None, removed.names)
            ids += filter(None, [removed.id])
            size += removed.size
    return names, ids, size


def _unused(world: World, filters: Filters, *, everything: bool) -> Iterator[Item]:
    used = {user.digest for user in containers(world.context.home)}
    for items in group(world):
        is_wanted = everything or not any(item.entry.reference for item in items)
        if is_wanted and not any(item.entry.digest in used for item in items) and fits(world, summary(items), filters):
            yield from items
