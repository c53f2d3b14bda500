"""``system df``: disk usage of images, containers, volumes and logs."""

from __future__ import annotations

from orchestra.driver.local import disk
from orchestra.driver.local.disk import Disk, Total

__all__ = ["Disk", "Total", "measure_disk"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.context import Context


def measure_disk(context: Context) -> Disk:
    return disk.measure(context.home)
