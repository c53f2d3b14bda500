"""Looking at images: list, inspect, history."""

from __future__ import annotations

import fnmatch
import time
from typing import TYPE_CHECKING

from orchestra.engine_api.filters import parse_filters, truth
from orchestra.engine_api.images.names import familiar, find_image
from orchestra.engine_api.moment import parse_moment
from orchestra.stacks.filters import has_labels, is_one_of
from orchestra.stacks.images.library import open_library

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from orchestra.driver.local.image.library import Item
    from orchestra.engine_api.exchange import Exchange
    from orchestra.engine_api.world import World

WILD = frozenset("*?[")
FILTERS = ("before", "dangling", "label", "label!", "reference", "since", "until")


def list_images(world: World, exchange: Exchange) -> None:
    request = exchange.request
    filters = parse_filters(request.query.get("filters", ""), FILTERS)
    if request.query.get("filter"):  # before version 1.25
        filters.setdefault("reference", []).append(request.query["filter"])
    rows = [summary(items) for items in group(world)]
    fitting = [row for row in rows if fits(world, row, filters)]
    if patterns := filters.get("reference"):
        for row in fitting:
            for key in ("RepoTags", "RepoDigests"):
                row[key] = [name for name in row[key] if any(_refers(text, name) for text in patterns)]
    exchange.answer(fitting)


def group(world: World) -> Iterable[list[Item]]:
    """All names of each image together, the newest image first."""
    library = open_library(world.context)
    by_id: dict[str, list[Item]] = {}
    for item in (*library.items(), *library.nameless()):
        by_id.setdefault(item.id, []).append(item)
    return sorted(by_id.values(), key=lambda items: items[0].created, reverse=True)


def names_of(items: Iterable[Item]) -> tuple[list[str], list[str]]:
    """Tags, and names with digests."""
    tags, digests = [], []
    for item in items:
        if not item.entry.reference:
            continue
        name = item.name
        if name is None or not name.digest:
            tags.append(familiar(item.entry.reference))
        if name is not None and item.entry.source:
            digests.append(f"{name.familiar}@{item.entry.source}")
    return sorted(set(tags)), sorted(set(digests))


def summary(items: list[Item]) -> dict[str, Any]:
    tags, digests = names_of(items)
    first = items[0]
    config = ((first.parts.document if first.parts else {}).get("config")) or {}
    return {
        "Id": first.id,
        "ParentId": "",
        "RepoTags": tags,
        "RepoDigests": digests,
        "Created": int(parse_moment("", first.created, 0.0) or 0),
        "Size": first.size,
        "SharedSize": -1,
        "VirtualSize": first.size,
        "Labels": config.get("Labels"),
        "Containers": -1,
    }


def fits(world: World, row: Mapping[str, Any], filters: Mapping[str, list[str]]) -> bool:
    dangling = truth(filters, "dangling")
    now = time.time()
    marks = {key: [_created(world, word) for word in filters.get(key, ())] for key in ("before", "since")}
    until = [parse_moment("until", text, now) or now for text in filters.get("until", ())]
    return (
        (dangling is None or (not row["RepoTags"]) is dangling)
        and has_labels(filters, row["Labels"] or {})
        and is_one_of(filters, "reference", lambda text: any(_refers(text, name) for name in row["RepoTags"]))
        and all(row["Created"] < moment for moment in (*marks["before"], *until))
        and all(row["Created"] > moment for moment in marks["since"])
    )


def _created(world: World, word: str) -> int:
    return int(parse_moment("", find_image(world, word).created, 0.0) or 0)


def _refers(pattern: str, name: str) -> bool:
    """A pattern may leave out the tag."""
    repository = name.partition("@")[0] if "@" in name else name.rpartition(":")[0]
    if any(fnmatch.fnmatchcase(each, pattern) for each in (name, repository)):
        return True
    return not WILD.intersection(pattern) and familiar(pattern) == name


def inspect_image(world: World, exchange: Exchange) -> None:
    exchange.answer(details(world, exchange.parameters["name"]))


def details(world: World, word: str) -> dict[str, Any]:
    """Raises ApiError with 404."""
    item = find_image(world, word)
    library = open_library(world.context)
    shown = library.details(item)
    same = [each for each in (*library.items(), *library.nameless()) if each.id == item.id]
    shown["RepoTags"], shown["RepoDigests"] = names_of(same)
    document = item.parts.document if item.parts else {}
    return {
        **shown,
        "Parent": "",
        "Comment": (document.get("history") or [{}])[-1].get("comment") or "",
        "DockerVersion": "",
        "VirtualSize": item.size,
        "GraphDriver": {"Name": "overlay2", "Data": {}},
        "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"},
    }


def history(world: World, exchange: Exchange) -> None:
    item = find_image(world, exchange.parameters["name"])
    library = open_library(world.context)
    tags, _ = names_of([each for each in library.items() if each.id == item.id])
    rows = [
        {
            "Id": "<missing>",
            "Created": int(parse_moment("", row["created"], 0.0) or 0),
            "CreatedBy": row["created_by"],
            "Tags": None,
            "Size": row["size"],
            "Comment": row["comment"],
        }
        for row in library.history(item)
    ]
    if rows:
        rows[0] |= {"Id": item.id, "Tags": tags or None}
    exchange.answer(rows)
