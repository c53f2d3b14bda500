"""Cells that are common to tables of images."""

from __future__ import annotations

import time
from datetime import datetime

from orchestra.cli.render.ages import describe_moment, describe_span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.images.library import Item

NONE = "<none>"


def repository_and_tag(item: Item) -> tuple[str, str]:
    """The names in their short form. An image from an archive or a directory is named after that."""
    if item.name is not None:
        return item.name.familiar, item.name.tag or NONE
    return item.entry.reference or NONE, NONE


def parse_created(text: str) -> float | None:
    """The Unix time of an image's ``created``; None if it has none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def describe_age(created: str) -> str:
    """``3 weeks ago``."""
    moment = parse_created(created)
    return "N/A" if moment is None else f"{describe_span(time.time() - moment)} ago"


def describe_creation(created: str) -> str:
    """The time as Docker prints it."""
    moment = parse_created(created)
    return "N/A" if moment is None else describe_moment(moment)
