"""``orchestra image history``: the steps that made an image, the last one first."""

from __future__ import annotations

import sys

from orchestra.cli.image.columns import describe_age
from orchestra.cli.render.columns import output_width
from orchestra.cli.render.sizes import describe_size
from orchestra.cli.render.template import render_rows
from orchestra.model.names import short_id
from orchestra.stacks.images.library import open_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation

HEADER = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}
EXPENDABLE = ("COMMENT", "IMAGE")
MISSING = "<missing>"
"""Docker's word for steps that are not images of their own."""
STEP_WIDTH = 45


def run(invocation: Invocation) -> int:
    values = invocation.values
    full = values["no_trunc"]
    library = open_library(invocation.context)
    item = library.find(values["reference"])
    image_id = item.id if full else short_id(item.id)
    ids = [image_id, *(MISSING for _ in library.history(item)[1:])]
    if values["quiet"]:
        sys.stdout.write("".join(f"{word}\n" for word in ids))
        return 0
    rows = [_row(word, step, full=full) for word, step in zip(ids, library.history(item), strict=False)]
    width = None if full else output_width()
    sys.stdout.write(render_rows(values["format"], HEADER, rows, width=width, expendable=EXPENDABLE))
    return 0


def _row(image_id: str, step: dict[str, Any], *, full: bool) -> dict[str, Any]:
    by = " ".join(step["created_by"].split())
    if not full and len(by) > STEP_WIDTH:
        by = f"{by[: STEP_WIDTH - 1]}…"
    return {
        "Comment": step["comment"],
        "CreatedAt": step["created"],
        "CreatedBy": by,
        "CreatedSince": describe_age(step["created"]),
        "ID": image_id,
        "Size": describe_size(step["size"]),
    }
