"""The machine: what it offers, what dead stacks have left on it, and what takes space."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.driver.local.disk import Disk as Disk
    from orchestra.driver.local.disk import Total as Total
    from orchestra.driver.local.doctor import Fact as Fact
    from orchestra.driver.local.prune import Item as Item
    from orchestra.stacks.context import Context


def examine(context: Context) -> list[Fact]:
    """Everything that stacks need, and what each lack costs."""
    from orchestra.driver.local import doctor

    return list(doctor.examine(context.home))


def can_run(facts: list[Fact]) -> bool:
    """Whether any stack can."""
    from orchestra.driver.local import doctor

    return doctor.can_run(facts)


def find_leftovers(context: Context) -> list[Item]:
    """What dead stacks have left, in the order in which it is to be removed. Volumes, logs and images are not of it.

    Raises EnvironmentLack for who may not remove it.
    """
    from orchestra.driver.local import prune

    context.need_root("system prune")
    return prune.find(context.home)


def remove_leftover(context: Context, item: Item) -> None:
    """Raises OrchestraError or OSError."""
    from orchestra.driver.local import prune

    prune.remove(context.home, item)


def measure_disk(context: Context) -> Disk:
    """What images, containers, volumes and logs take."""
    from orchestra.driver.local.disk import measure

    return measure(context.home)
