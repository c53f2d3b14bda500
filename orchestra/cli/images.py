"""``orchestra images``: the images that the stack's containers were made from, in Docker Compose's columns."""

from __future__ import annotations

import sys
from functools import partial

from orchestra.cli.image.columns import NONE, describe_age, repository_and_tag
from orchestra.cli.render.columns import output_width, render_columns
from orchestra.cli.render.sizes import describe_size
from orchestra.cli.render.template import check_format, is_table, render_rows
from orchestra.cli.warnings import tell_what_there_is
from orchestra.model.names import short_id
from orchestra.stacks.images.of_containers import images_of_containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.containers import ContainerRow
    from orchestra.stacks.images.library import Item

HEADER = ("CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE ID", "SIZE", "CREATED")
HEADINGS = {"ContainerName": "CONTAINER", "ID": "IMAGE ID"}
EXPENDABLE = ("CREATED", "PLATFORM", "IMAGE ID")


def run(invocation: Invocation) -> int:
    context, values = invocation.context, invocation.values
    check_format(values["format"])
    found = images_of_containers(context, values["services"], partial(tell_what_there_is, invocation, context))
    rows = [_data(*pair) for pair in found]
    if values["quiet"]:
        ids = dict.fromkeys(row["ID"].removeprefix("sha256:") for row in rows if row["ID"])
        text = "".join(f"{image_id}\n" for image_id in ids)
    elif is_table(values["format"]):
        text = render_columns(HEADER, [_cells(row) for row in rows], width=output_width(), expendable=EXPENDABLE)
    else:
        text = render_rows(values["format"], HEADINGS, rows, array=True)
    sys.stdout.write(text)
    return 0


def _data(container: ContainerRow, items: list[Item]) -> dict[str, Any]:
    """items: the image under each of its names; none for a directory tree."""
    row: dict[str, Any] = {"ID": "", "ContainerName": container.name, "Platform": "", "Size": 0}
    if not items:
        return {**row, "Repository": container.image, "Tag": NONE, "Created": None}
    item = next((one for one in items if _is_called(one, container.image)), items[0])
    repository, tag = repository_and_tag(item)
    about = {"ID": item.id, "Platform": item.entry.platform, "Size": item.size}
    return {**row, **about, "Repository": repository, "Tag": tag, "Created": item.created or None}


def _is_called(item: Item, reference: str) -> bool:
    repository, tag = repository_and_tag(item)
    return reference in (repository, f"{repository}:{tag}", item.entry.reference)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["ContainerName"],
        row["Repository"],
        row["Tag"],
        row["Platform"],
        short_id(row["ID"]) or NONE,
        describe_size(row["Size"]),
        describe_age(row["Created"] or ""),
    )
