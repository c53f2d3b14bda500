"""``system prune``: what dead stacks have left on this machine. Volumes, logs and images are not of it."""

from __future__ import annotations

from orchestra.driver.local import prune
from orchestra.driver.local.prune import Item

__all__ = ["Item", "find_leftovers", "remove_leftover"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.context import Context


def find_leftovers(context: Context) -> list[Item]:
    """In the order in which they are to be removed. Raises EnvironmentLack for who may not remove them."""
    context.need_root("system prune")
    return prune.find(context.home)


def remove_leftover(context: Context, item: Item) -> None:
    """Raises OrchestraError or OSError."""
    prune.remove(context.home, item)
