"""Which cluster, and a connection to it."""

from __future__ import annotations

import contextlib

from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.cluster.api import Api
    from orchestra.cluster.manager import Manager
    from orchestra.stacks.context import Context

SWARM = "swarm"


class Where(Record):
    """driver: ``kubernetes`` or ``swarm``. context: of the kubeconfig, or of Docker; empty for the current one.

    namespace: empty for that of the context. manager: the address of one of the swarm, empty for that of the context.
    """

    driver: str = "kubernetes"
    context: str = ""
    namespace: str = ""
    manager: str = ""


@contextlib.contextmanager
def open_kubernetes(context: Context, where: Where) -> Iterator[Api]:
    from orchestra.cluster.access import find_access
    from orchestra.cluster.api import Api
    from orchestra.cluster.http import Http

    access = find_access(context.environment, where.context)
    with contextlib.closing(Http(access, context.environment)) as http:
        yield Api(http, where.namespace or access.namespace)


@contextlib.contextmanager
def open_swarm(context: Context, where: Where) -> Iterator[Manager]:
    from orchestra.cluster.endpoint import find_endpoint
    from orchestra.cluster.manager import Manager

    endpoint = find_endpoint(context.environment, where.manager, where.context)
    with contextlib.closing(Manager(endpoint)) as manager:
        yield manager
