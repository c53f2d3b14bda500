"""The output of a stack's containers in a cluster."""

from __future__ import annotations

from orchestra.errors import UserError
from orchestra.record import Record
from orchestra.stacks.cluster.look import pods
from orchestra.stacks.cluster.where import SWARM, Where, open_kubernetes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.stacks.context import Context


class LogOptions(Record):
    """tail: lines from the end, None for all. since: a time as RFC 3339 has it, empty for the beginning."""

    services: tuple[str, ...] = ()
    follow: bool = False
    tail: int | None = None
    since: str = ""


def log(context: Context, where: Where, options: LogOptions, show: Callable[[str, bytes, bytes], object]) -> None:
    """show: hears the pod, the time and the text of each line; from several threads if they are followed.

    Pods that start later are not among them.
    """
    from concurrent.futures import ThreadPoolExecutor

    if where.driver == SWARM:
        raise UserError("logs of a swarm are not read here", hint="docker service logs shows them")
    with open_kubernetes(context, where) as api:
        found = [pod.name for pod in pods(context, where, options.services)]

        def read(pod: str) -> None:
            for line in api.log(pod, follow=options.follow, tail=options.tail, since=options.since):
                time, _, text = line.partition(b" ")
                show(pod, time, text)

        if not options.follow:
            for pod in found:
                read(pod)
            return
        with ThreadPoolExecutor(max(1, len(found))) as threads:
            for done in [threads.submit(read, pod) for pod in found]:
                done.result()
