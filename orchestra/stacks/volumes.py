"""``volumes``: the volumes of a stack."""

from __future__ import annotations

from orchestra.driver import Part
from orchestra.record import Record
from orchestra.stacks.containers import Seen, find_stack, ignore, look_at_containers, survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestra.stacks.context import Context


class VolumeRow(Record):
    """mountpoint: the directory of this machine that holds its data, or that another place is mounted from."""

    name: str
    labels: Mapping[str, str]
    mountpoint: str


def volumes(context: Context, services: Sequence[str] = (), tell: Callable[[Seen], None] = ignore) -> list[VolumeRow]:
    """Volumes that the stack created and that have a name in its file, sorted by name.

    services: only volumes mounted in running containers of these; empty for all. Raises UserError for a service that
    neither the file nor any container has, and for a driver without volumes.
    """
    context.need(Part.VOLUMES)
    from orchestra.driver.local.volume.store import named_volumes, volume_data

    known = find_stack(context)
    there = look_at_containers(context, known.stack)
    survey(known, there, services, tell)
    mounted = {
        name for container in there for name in container.volumes if container.runs and container.service in services
    }
    return [
        VolumeRow(record.name, record.labels, volume_data(context.home, record.name))
        for record in named_volumes(context.home, known.stack)
        if not services or record.name in mounted
    ]
