"""``scale`` and ``rollback``: deploy again what the cluster keeps of earlier deployments. The file is not read."""

from __future__ import annotations

from orchestra.stacks.cluster.passes import Asked, Effected, effected, kubernetes_pass, swarm_pass
from orchestra.stacks.cluster.where import SWARM
from orchestra.stacks.containers import find_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.cluster.change import Change


def scale(asked: Asked, numbers: Mapping[str, int]) -> tuple[Effected, ...]:
    """Give services other numbers of containers. Raises UserError for those that the cluster does not have."""
    return effected(_again(asked, numbers), asked.terms)


def rollback(asked: Asked) -> tuple[Effected, ...]:
    """Go back to the deployment before the last one. Raises UserError without one."""
    return effected(_again(asked, None), asked.terms)


def _again(asked: Asked, numbers: Mapping[str, int] | None) -> Sequence[Change]:
    """numbers: None for the deployment before the last one."""
    from orchestra.cluster.revisions import current, previous

    stack = find_stack(asked.context).stack
    if asked.where.driver == SWARM:
        from orchestra.cluster import swarm_revisions
        from orchestra.cluster.swarm_objects import of_stack

        with swarm_pass(asked, stack) as (manager, deployment):
            found = of_stack(manager, stack)
            kept = swarm_revisions.kept_of(found["configs"])
            if numbers is None:
                content = previous(kept)
            else:
                full = {f"{stack}_{service}": number for service, number in numbers.items()}
                content = swarm_revisions.scaled(current(kept), full)
            kinds = swarm_revisions.kinds_of(content, found)
            return deployment.run(kinds, content["needs"])
    from orchestra.cluster import kubernetes_revisions
    from orchestra.translation.kubernetes.names import label

    with kubernetes_pass(asked, stack) as (api, deployment):
        kept = kubernetes_revisions.kept_of(api.of_stack(stack, ("Secret",)))
        if numbers is None:
            objects = previous(kept)
        else:
            named = {label(service): number for service, number in numbers.items()}
            objects = kubernetes_revisions.scaled(current(kept), named)
        return deployment.run(objects)
