"""``doctor``: what this machine supports, and the cost of what is missing."""

from __future__ import annotations

import os

from orchestra.driver.local import doctor
from orchestra.driver.local.doctor import Fact, State, can_run
from orchestra.errors import EnvironmentLack
from orchestra.home import is_rootless

__all__ = ["Fact", "State", "can_run", "examine"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.context import Context


def examine(context: Context) -> list[Fact]:
    """Check everything that stacks need. Without root, in the namespaces of the home."""
    if os.geteuid() == 0 and not is_rootless(os.environ):
        return list(doctor.examine(context.home))
    from orchestra.driver.local.rootless_doctor import examine_controllers, examine_rootless

    facts = list(examine_rootless())
    try:
        context.need_privileges()
    except EnvironmentLack as error:
        return [*facts, Fact("containers without root", State.LACKING, error.message, "no stack can run", error.hint)]
    return [*facts, *examine_controllers(context.home), *doctor.examine(context.home)]
