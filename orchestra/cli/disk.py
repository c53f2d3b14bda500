"""``orchestra system df``: show disk usage, in Docker's columns."""

from __future__ import annotations

import sys

from orchestra.cli.image.columns import describe_age, repository_and_tag
from orchestra.cli.render.ages import describe_span
from orchestra.cli.render.columns import output_width, render_columns
from orchestra.cli.render.sizes import describe_size
from orchestra.cli.render.template import render_rows
from orchestra.model.names import short_id
from orchestra.stacks.disk import measure_disk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.disk import Disk, Total

HEADER = {
    "Type": "TYPE",
    "TotalCount": "TOTAL",
    "Active": "ACTIVE",
    "Size": "SIZE",
    "Reclaimable": "RECLAIMABLE",
}
IMAGES = ("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS")
CONTAINERS = ("CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES")
VOLUMES = ("VOLUME NAME", "LINKS", "SIZE")
LOGS = ("STACK", "CONTAINER", "SIZE", "STATUS")
EXPENDABLE = ("COMMAND", "LOCAL VOLUMES", "CREATED", "SHARED SIZE", "UNIQUE SIZE")
COMMAND_WIDTH = 20


def run(invocation: Invocation) -> int:
    values = invocation.values
    disk = measure_disk(invocation.context)
    if values["verbose"] and values["format"] == "table":
        import time

        sys.stdout.write(_render_verbose(disk, time.time(), output_width()))
    else:
        rows = [_row(total) for total in disk.totals()]
        sys.stdout.write(render_rows(values["format"], HEADER, rows, width=output_width()))
    return 0


def _row(total: Total) -> dict[str, Any]:
    share = f" ({total.reclaimable * 100 // total.size}%)" if total.size else ""
    return {
        "Type": total.kind,
        "TotalCount": str(total.number),
        "Active": str(total.active),
        "Size": describe_size(total.size, 4),
        "Reclaimable": f"{describe_size(total.reclaimable, 4)}{share}",
    }


def _render_verbose(disk: Disk, now: float, width: int | None) -> str:
    images = []
    for use in disk.images:
        for item in use.items:
            sizes = (use.size, use.shared, use.size - use.shared)
            cells = (*repository_and_tag(item), short_id(item.id), describe_age(item.created))
            images.append((*cells, *(describe_size(size, 4) for size in sizes), str(use.containers)))
    containers = []
    for stack_use in disk.containers:
        container = stack_use.container
        command = " ".join(container.get("command", ()))
        containers.append(
            (
                short_id(container["id"]),
                container["image"],
                f'"{command if len(command) <= COMMAND_WIDTH else command[: COMMAND_WIDTH - 1] + "…"}"',
                str(len(container.get("volumes", ()))),
                describe_size(stack_use.size),
                f"{describe_span(now - container['created_at'])} ago",
                container["status"]["kind"],
                container["name"],
            )
        )
    volumes = [(use.name, str(use.containers), describe_size(use.size)) for use in disk.volumes]
    logs = [(use.stack, use.name, describe_size(use.size), "kept" if use.is_kept else "left") for use in disk.logs]
    return "\n".join(
        (
            f"Images space usage:\n\n{render_columns(IMAGES, images, width=width, expendable=EXPENDABLE)}",
            f"Containers space usage:\n\n{render_columns(CONTAINERS, containers, width=width, expendable=EXPENDABLE)}",
            f"Local Volumes space usage:\n\n{render_columns(VOLUMES, volumes, width=width, expendable=EXPENDABLE)}",
            f"Logs space usage:\n\n{render_columns(LOGS, logs, width=width, expendable=EXPENDABLE)}",
        )
    )
