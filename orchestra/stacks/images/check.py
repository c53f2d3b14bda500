"""``image fsck``: whether all images are complete."""

from __future__ import annotations

from orchestra.driver import Part
from orchestra.driver.local.image.content.check import Report, check_store

__all__ = ["Report", "check_images"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.context import Context


def check_images(context: Context, *, repair: bool = False) -> Report:
    """repair: drop damaged data, so that it is fetched again. Raises UserError if the driver has no images."""
    context.need(Part.IMAGES)
    return check_store(context.home, repair=repair)
