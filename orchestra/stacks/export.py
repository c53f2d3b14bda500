"""``export``: writes a container's file system to an archive. Standard library only."""

from __future__ import annotations

from orchestra.driver import Part
from orchestra.record import Record
from orchestra.stacks.replicas import find_replicas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import IO

    from orchestra.home import StackHome
    from orchestra.model.observed import Container
    from orchestra.stacks.context import Context


class ExportOptions(Record):
    """replica: the index of the container; None for the first."""

    service: str
    replica: int | None = None


def export(
    context: Context, options: ExportOptions, open_output: Callable[[], AbstractContextManager[IO[bytes]]]
) -> None:
    """Leaves out mounts. Opens the output once the container has been found. Raises UserError."""
    home, container = find_exported(context, options)
    from orchestra.driver.local.copying.transfer import export_root

    with open_output() as output:
        export_root(home.container(container.name), output)


def find_exported(context: Context, options: ExportOptions) -> tuple[StackHome, Container]:
    """The container that ``export`` takes. Raises UserError."""
    context.need_privileges()
    context.need(Part.COPY)
    home, containers = find_replicas(context, options.service, options.replica)
    return home, containers[0]
