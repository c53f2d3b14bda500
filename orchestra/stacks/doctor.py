"""``doctor``: what this machine supports, and the cost of what is missing."""

from __future__ import annotations

from orchestra.driver.local import doctor
from orchestra.driver.local.doctor import Fact, State, can_run

__all__ = ["Fact", "State", "can_run", "examine"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.context import Context


def examine(context: Context) -> list[Fact]:
    """Check everything that stacks need."""
    return list(doctor.examine(context.home))
