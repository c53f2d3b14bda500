"""What of a stack is in a cluster, and how it is taken away."""

from __future__ import annotations

from orchestra.errors import UserError
from orchestra.stacks.cluster.where import SWARM, Where, open_kubernetes, open_swarm
from orchestra.stacks.containers import find_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.cluster.view import Pod
    from orchestra.stacks.context import Context


def pods(context: Context, where: Where, services: Sequence[str]) -> tuple[Pod, ...]:
    """The pods, or tasks, of these services, or of all."""
    from orchestra.cluster.view import pods as find_pods
    from orchestra.translation.kubernetes.names import label

    if where.driver == SWARM:
        from orchestra.cluster.tasks import tasks

        with open_swarm(context, where) as manager:
            return tasks(manager, find_stack(context).stack, services)
    with open_kubernetes(context, where) as api:
        return find_pods(api, find_stack(context).stack, [label(service) for service in services])


def removable(context: Context, where: Where, *, volumes: bool) -> tuple[str, ...]:
    """The names of the objects that ``remove`` would remove."""
    from orchestra.cluster.view import removable as find

    if where.driver == SWARM:
        from orchestra.cluster.swarm_objects import of_stack

        with open_swarm(context, where) as manager:
            found = of_stack(manager, find_stack(context).stack)
            return tuple(f"{kind.removesuffix('s')}/{name}" for kind, items in found.items() for name in items)
    with open_kubernetes(context, where) as api:
        return tuple(map(str, find(api, find_stack(context).stack, volumes=volumes)))


def remove(context: Context, where: Where, tell: Callable[[str, str], object], *, volumes: bool) -> int:
    """The number of objects that were removed. volumes: claims too, with the data that they hold."""
    stack = find_stack(context).stack
    if where.driver == SWARM:
        from orchestra.cluster.swarm_objects import of_stack, take_away

        if volumes:
            raise UserError("volumes of a swarm are on its nodes", hint="remove them there, with docker volume rm")
        with open_swarm(context, where) as manager:
            found = of_stack(manager, stack)
            take_away(manager, stack, found, tell)
            return sum(map(len, found.values()))
    from orchestra.cluster import view

    with open_kubernetes(context, where) as api:
        keys = view.removable(api, stack, volumes=volumes)
        view.remove(api, stack, keys, tell)
        return len(keys)
