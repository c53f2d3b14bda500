"""``scale`` and ``rollback``: deploy again what the cluster keeps of earlier deployments. The file is not read."""

from __future__ import annotations

from orchestra.stacks.cluster.deploy import Effected, effected, told_of_changes
from orchestra.stacks.cluster.where import SWARM, Where, open_kubernetes, open_swarm
from orchestra.stacks.containers import find_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestra.cluster.change import Change, Terms
    from orchestra.stacks.context import Context


def scale(
    context: Context, where: Where, numbers: Mapping[str, int], terms: Terms, tell: Callable[[str, str], object]
) -> tuple[Effected, ...]:
    """Give services other numbers of containers. Raises UserError for those that the cluster does not have."""
    return effected(_again(context, where, terms, tell, numbers), terms)


def rollback(context: Context, where: Where, terms: Terms, tell: Callable[[str, str], object]) -> tuple[Effected, ...]:
    """Go back to the deployment before the last one. Raises UserError without one."""
    return effected(_again(context, where, terms, tell, None), terms)


def _again(
    context: Context,
    where: Where,
    terms: Terms,
    tell: Callable[[str, str], object],
    numbers: Mapping[str, int] | None,
) -> Sequence[Change]:
    """numbers: None for the deployment before the last one."""
    from orchestra.cluster.revisions import current, previous

    stack = find_stack(context).stack
    if where.driver == SWARM:
        from orchestra.cluster import swarm_revisions
        from orchestra.cluster.swarm import SwarmDeployment, of_stack

        with open_swarm(context, where) as manager:
            found = of_stack(manager, stack)
            kept = swarm_revisions.kept_of(found["configs"])
            if numbers is None:
                content = previous(kept)
            else:
                full = {f"{stack}_{service}": number for service, number in numbers.items()}
                content = swarm_revisions.scaled(current(kept), full)
            kinds = swarm_revisions.kinds_of(content, found)
            return SwarmDeployment(manager, stack, terms, tell).run(kinds, content["needs"])
    from orchestra.cluster import kubernetes_revisions
    from orchestra.cluster.deploy import Deployment
    from orchestra.translation.kubernetes.names import label

    with open_kubernetes(context, where) as api, told_of_changes(api, stack, terms) as pause:
        kept = kubernetes_revisions.kept_of(api.of_stack(stack, ("Secret",)))
        if numbers is None:
            objects = previous(kept)
        else:
            named = {label(service): number for service, number in numbers.items()}
            objects = kubernetes_revisions.scaled(current(kept), named)
        return Deployment(api, stack, terms, tell, pause=pause).run(objects)
