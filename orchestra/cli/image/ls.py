"""``orchestra image ls``: list images by name, the newest first, in Docker's columns."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase

from orchestra.cli.image.columns import (
    NONE,
    describe_age,
    describe_creation,
    parse_created,
    repository_and_tag,
)
from orchestra.cli.render.columns import output_width
from orchestra.cli.render.sizes import describe_size
from orchestra.cli.render.template import render_rows
from orchestra.model.names import short_id
from orchestra.stacks.images.library import open_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.images.library import Item

HEADER = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "Size": "SIZE",
}

EXPENDABLE = ("CREATED", "SIZE")


def run(invocation: Invocation) -> int:
    values = invocation.values
    library = open_library(invocation.context)
    items = library.items()
    if values["all"] and not values["reference"]:
        items += library.nameless()
    if values["reference"]:
        items = [item for item in items if is_called(item, values["reference"])]
    items.sort(key=lambda item: parse_created(item.created) or 0, reverse=True)
    if values["quiet"]:
        ids = dict.fromkeys(item.id if values["no_trunc"] else short_id(item.id) for item in items)
        sys.stdout.write("".join(f"{image_id}\n" for image_id in ids))
        return 0
    header = {key: word for key, word in HEADER.items() if key != "Digest" or values["digests"]}
    rows = [_row(item, full=values["no_trunc"]) for item in items]
    width = None if values["no_trunc"] else output_width()
    sys.stdout.write(render_rows(values["format"], header, rows, width=width, expendable=EXPENDABLE))
    return 0


def is_called(item: Item, pattern: str) -> bool:
    """Whether an image has this name, with or without its tag; ``*`` stands for anything but a slash."""
    repository, tag = repository_and_tag(item)
    whole = item.name.repository if item.name else repository
    names = (repository, f"{repository}:{tag}", whole, f"{whole}:{tag}")
    wanted = pattern.split("/")
    return any(
        len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted)) for parts in (n.split("/") for n in names)
    )


def _row(item: Item, *, full: bool) -> dict[str, Any]:
    repository, tag = repository_and_tag(item)
    return {
        "Containers": "N/A",
        "CreatedAt": describe_creation(item.created),
        "CreatedSince": describe_age(item.created),
        "Digest": item.entry.source if item.name else NONE,
        "ID": item.id if full else short_id(item.id),
        "Repository": repository,
        "SharedSize": "N/A",
        "Size": describe_size(item.size),
        "Tag": tag,
        "UniqueSize": "N/A",
    }
