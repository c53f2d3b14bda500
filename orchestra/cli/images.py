"""``orchestra images``: the images that the stack's containers were made from, in Docker Compose's columns."""

from __future__ import annotations

import json
import sys

from orchestra.cli.image.columns import NONE, describe_age, repository_and_tag, short_id
from orchestra.cli.looking import check_known, find_stack, look_at_containers
from orchestra.cli.render.columns import output_width, render_columns
from orchestra.cli.render.sizes import describe_size
from orchestra.driver.local.image.library import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.driver.local.image.library import Item

    Encoded = dict[str, Any]

HEADER = ("CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE ID", "SIZE", "CREATED")
EXPENDABLE = ("CREATED", "PLATFORM", "IMAGE ID")


def run(invocation: Invocation) -> int:
    values = invocation.values
    stack, declared = find_stack(invocation)
    there = look_at_containers(invocation, stack)
    if not there:
        from orchestra.cli.elsewhere import tell_of_root

        tell_of_root(invocation)
    check_known(values["services"], declared, (container["service"] for container in there))
    wanted = [c for c in there if not values["services"] or c["service"] in values["services"]]
    by_digest = _items(Library(invocation.home), {container["image_digest"] for container in wanted})
    rows = [_data(container, by_digest.get(container["image_digest"], [])) for container in wanted]
    if values["quiet"]:
        ids = dict.fromkeys(row["ID"].removeprefix("sha256:") for row in rows if row["ID"])
        text = "".join(f"{image_id}\n" for image_id in ids)
    elif values["format"] == "json":
        text = json.dumps(rows) + "\n"
    else:
        text = render_columns(HEADER, [_cells(row) for row in rows], width=output_width(), expendable=EXPENDABLE)
    sys.stdout.write(text)
    return 0


def _items(library: Library, digests: set[str]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in library.items():
        found.setdefault(item.entry.digest, []).append(item)
    if digests - set(found):  # the name of one that is in use may mean another by now
        for item in library.nameless():
            found.setdefault(item.entry.digest, []).append(item)
    return found


def _data(container: Encoded, items: list[Item]) -> Encoded:
    """items: the image by each of its names; none for a directory tree."""
    row = {"ID": "", "ContainerName": container["name"], "Platform": "", "Size": 0}
    if not items:
        return {**row, "Repository": container["image"], "Tag": NONE, "Created": None}
    item = next((one for one in items if _is_called(one, container["image"])), items[0])
    repository, tag = repository_and_tag(item)
    about = {"ID": item.id, "Platform": item.entry.platform, "Size": item.size}
    return {**row, **about, "Repository": repository, "Tag": tag, "Created": item.created or None}


def _is_called(item: Item, reference: str) -> bool:
    repository, tag = repository_and_tag(item)
    return reference in (repository, f"{repository}:{tag}", item.entry.reference)


def _cells(row: Encoded) -> tuple[str, ...]:
    return (
        row["ContainerName"],
        row["Repository"],
        row["Tag"],
        row["Platform"],
        short_id(row["ID"]) or NONE,
        describe_size(row["Size"]),
        describe_age(row["Created"] or ""),
    )
