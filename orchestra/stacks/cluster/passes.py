"""A pass over a stack in a cluster: what each needs, and how it is begun."""

from __future__ import annotations

import contextlib
from functools import partial

from orchestra.record import Record
from orchestra.stacks.cluster.where import Where, open_kubernetes, open_swarm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orchestra.cluster.api import Api
    from orchestra.cluster.change import Change, Terms
    from orchestra.cluster.deploy import Deployment
    from orchestra.cluster.manager import Manager
    from orchestra.cluster.swarm import SwarmDeployment
    from orchestra.stacks.context import Context


class Asked(Record):
    """tell: hears of an object what happens to it."""

    context: Context
    where: Where
    terms: Terms
    tell: Callable[[str, str], object]


class Effected(Record):
    """name: ``deployment/web``. effect: created, changed, replaced, unchanged or removed. difference: as a diff."""

    name: str
    effect: str
    difference: str = ""


def effected(changes: Sequence[Change], terms: Terms) -> tuple[Effected, ...]:
    """With differences if nothing was changed yet."""
    from orchestra.cluster.difference import difference

    return tuple(Effected(str(each.key), each.effect, difference(each) if terms.dry else "") for each in changes)


@contextlib.contextmanager
def kubernetes_pass(asked: Asked, stack: str) -> Iterator[tuple[Api, Deployment]]:
    from orchestra.cluster.deploy import Deployment
    from orchestra.cluster.kinds import WORKLOADS, path_of, selector
    from orchestra.cluster.news import News
    from orchestra.cluster.watch import follow

    with open_kubernetes(asked.context, asked.where) as api:
        workloads = [(path_of(api.namespace, kind), {"labelSelector": selector(stack)}) for kind in WORKLOADS]
        sources = [partial(follow, api, path, query) for path, query in (*workloads, api.pods_path(stack))]
        with News(sources, api.http.cut, tells_all=True) as news:
            yield api, Deployment(api, stack, asked.terms, asked.tell, pause=news.wait)


@contextlib.contextmanager
def swarm_pass(asked: Asked, stack: str) -> Iterator[tuple[Manager, SwarmDeployment]]:
    """A manager tells of services, and of the containers on its own node, but not of tasks on others."""
    from orchestra.cluster.news import News
    from orchestra.cluster.swarm import SwarmDeployment

    with open_swarm(asked.context, asked.where) as manager:
        sources = [partial(manager.events, type=["service", "container", "node", "network"])]
        with News(sources, manager.cut, tells_all=False) as news:
            yield manager, SwarmDeployment(manager, stack, asked.terms, asked.tell, pause=news.wait)
