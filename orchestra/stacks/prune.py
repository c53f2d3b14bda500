"""``system prune``: leftovers of dead stacks on this machine, except for volumes, logs and images."""

from __future__ import annotations

from orchestra.driver.local import prune
from orchestra.driver.local.prune import Item

__all__ = ["Item", "find_leftovers", "remove_leftover"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.context import Context


def find_leftovers(context: Context) -> list[Item]:
    """Leftovers, in the order of removal. Raises EnvironmentLack if this user may not remove them."""
    context.need_privileges()
    return prune.find(context.home)


def remove_leftover(context: Context, item: Item) -> None:
    """Raises OrchestraError or OSError."""
    prune.remove(context.home, item)
