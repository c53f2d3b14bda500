"""The images that a driver keeps, by name."""

from __future__ import annotations

from orchestra.driver import Part
from orchestra.driver.local.image.library import Item, Library, name_of, reference_key
from orchestra.driver.local.image.naming.name import parse_name

__all__ = ["Item", "Library", "name_of", "open_library", "parse_name", "reference_key"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.stacks.context import Context


def open_library(context: Context, wait: Callable[[], None] | None = None) -> Library:
    """wait: called if another command has to end first. Raises UserError if the driver keeps no images."""
    context.need(Part.IMAGES)
    return Library(context.home) if wait is None else Library(context.home, wait=wait)
