"""The output of a stack's containers in a cluster."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from orchestra.errors import OrchestraError, UserError
from orchestra.record import Record
from orchestra.stacks.cluster.look import pods
from orchestra.stacks.cluster.where import SWARM, Where, open_kubernetes, open_swarm
from orchestra.stacks.containers import find_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from orchestra.cluster.api import Api
    from orchestra.cluster.kinds import Object
    from orchestra.cluster.manager import Manager
    from orchestra.stacks.context import Context


class LogOptions(Record):
    """tail: lines from the end, None for all. since: a time as RFC 3339 has it, empty for the beginning."""

    services: tuple[str, ...] = ()
    follow: bool = False
    tail: int | None = None
    since: str = ""


def log(context: Context, where: Where, options: LogOptions, show: Callable[[str, bytes, bytes], object]) -> None:
    """show: hears the pod or task, the time and the text of each line; from several threads if they are followed.

    Pods and tasks that start later are followed, too, until the stack has none left.
    """

    def tell(name: str, line: bytes) -> None:
        time, _, text = line.partition(b" ")
        show(name, time, text)

    stack = find_stack(context).stack
    if where.driver == SWARM:
        with open_swarm(context, where) as manager:
            _read_tasks(manager, stack, options, tell)
        return
    with open_kubernetes(context, where) as api:
        if options.follow:
            from orchestra.translation.kubernetes.names import label

            _Following(api, options, tell).run(stack, {label(service) for service in options.services})
            return
        for pod in pods(context, where, options.services):
            for line in api.log(pod.name, follow=False, tail=options.tail, since=options.since):
                tell(pod.name, line)


def _read_tasks(manager: Manager, stack: str, options: LogOptions, tell: Callable[[str, bytes], object]) -> None:
    """Each service has a log of all its tasks, on all nodes."""
    from orchestra.cluster.service_log import read_log
    from orchestra.cluster.swarm_objects import of_stack

    found = of_stack(manager, stack)["services"]
    names = [f"{stack}_{service}" for service in options.services] or sorted(found)
    for name in names:
        if name not in found:
            raise UserError(f"the swarm has no service {name}", hint=f"it has {', '.join(sorted(found)) or 'none'}")

    def read(name: str) -> None:
        for task, line in read_log(manager, name, follow=options.follow, tail=options.tail, since=options.since):
            tell(task, line)

    if not options.follow:
        for name in names:
            read(name)
        return
    with ThreadPoolExecutor(max(1, len(names))) as threads:
        for done in [threads.submit(read, name) for name in names]:
            done.result()


class _Following:
    """A thread for each run of the container of each pod."""

    def __init__(self, api: Api, options: LogOptions, tell: Callable[[str, bytes], object]) -> None:
        self._api = api
        self._options = options
        self._tell = tell
        self._runs: dict[str, int] = {}
        self._failures: list[OrchestraError] = []

    def run(self, stack: str, services: Collection[str]) -> None:
        """services: names of workloads, empty for all."""
        from orchestra.cluster.kinds import NAME
        from orchestra.cluster.watch import DELETED, follow

        threads = []
        for seen in follow(self._api, *self._api.pods_path(stack)):
            metadata = seen.item["metadata"]
            pod, runs = metadata["name"], _runs(seen.item)
            if services and (metadata.get("labels") or {}).get(NAME) not in services:
                continue
            if self._runs.get(pod, 0) < runs:
                thread = threading.Thread(target=self._read, args=(pod, pod not in self._runs), daemon=True)
                self._runs[pod] = runs
                threads.append(thread)
                thread.start()
            if seen.kind == DELETED:
                self._runs.pop(pod, None)
                if not self._runs:
                    break
        for thread in threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _read(self, pod: str, first: bool) -> None:
        """The log of a run. first: the first one that is read, of which perhaps only the end is wanted."""
        from orchestra.cluster.http import Refused

        tail, since = (self._options.tail, self._options.since) if first else (None, "")
        try:
            for line in self._api.log(pod, follow=True, tail=tail, since=since):
                self._tell(pod, line)
        except OrchestraError as failure:
            if not (isinstance(failure, Refused) and failure.status == 404):  # it has just been removed
                self._failures.append(failure)
                self._api.http.cut()


def _runs(pod: Object) -> int:
    """How often the container has been started, whose log can be read from then on."""
    state: Object = next(iter((pod.get("status") or {}).get("containerStatuses") or ()), {})
    waits = "waiting" in (state.get("state") or {"waiting": {}})
    return int(state.get("restartCount") or 0) + (0 if waits else 1)
