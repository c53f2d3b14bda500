"""A stack in a cluster: deploy it, look at it, read its output, take it away."""

from __future__ import annotations

import contextlib

from orchestra.errors import ComposeError, Diagnostic, UserError
from orchestra.model.project import Chosen
from orchestra.record import Record
from orchestra.stacks.containers import find_stack
from orchestra.stacks.stack_file import StackFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orchestra.cluster.api import Api
    from orchestra.cluster.change import Change, Terms
    from orchestra.cluster.manager import Manager
    from orchestra.cluster.view import Pod
    from orchestra.stacks.context import Context
    from orchestra.translation.source import Source

SWARM = "swarm"


class Where(Record):
    """driver: ``kubernetes`` or ``swarm``. context: of the kubeconfig, empty for its current one. namespace: empty for
    that of the context. host: of a manager of the swarm, empty for DOCKER_HOST or the engine of this machine.
    """

    driver: str = "kubernetes"
    context: str = ""
    namespace: str = ""
    host: str = ""


class DeployOptions(Record):
    """wait: until everything is ready, for so many seconds. dry_run: say what would change, and change nothing.

    force: take over fields that other programs manage. roll_back: to what was before, if it fails.
    """

    where: Where = Where()
    wait: bool = True
    seconds: float = 600.0
    force: bool = False
    roll_back: bool = True
    dry_run: bool = False


class Effected(Record):
    """name: ``deployment/web``. effect: created, changed, replaced, unchanged or removed. difference: as a diff."""

    name: str
    effect: str
    difference: str = ""


def deploy(
    context: Context,
    options: DeployOptions,
    warn: Callable[[Sequence[Diagnostic]], object],
    tell: Callable[[str, str], object],
) -> tuple[Effected, ...]:
    """Every object of the stack, and what happened to it. warn: hears what has no counterpart before anything is done.

    tell: hears of an object what happens to it. Raises the errors of a load, ComposeError for images that the cluster
    cannot get, EnvironmentLack without a cluster, and FatalError when it is not ready, after it was rolled back.
    """
    from orchestra.cluster.change import Terms
    from orchestra.cluster.difference import difference
    from orchestra.translation.source import read

    source = read(StackFile(context).load_request(Chosen()))
    if local := local_images(source):
        raise ComposeError(local)
    terms = Terms(
        force=options.force,
        dry=options.dry_run,
        wait=options.wait,
        seconds=options.seconds,
        roll_back=options.roll_back,
    )
    how = _to_swarm if options.where.driver == SWARM else _to_kubernetes
    changes = how(context, options.where, source, terms, warn, tell)
    show = difference if options.dry_run else lambda _change: ""
    return tuple(Effected(str(change.key), change.effect, show(change)) for change in changes)


def _to_kubernetes(
    context: Context,
    where: Where,
    source: Source,
    terms: Terms,
    warn: Callable[[Sequence[Diagnostic]], object],
    tell: Callable[[str, str], object],
) -> tuple[Change, ...]:
    from orchestra.cluster.deploy import Deployment
    from orchestra.translation.kubernetes.translate import translate

    translation = translate(source)
    warn((*source.warnings, *_apart_from_order(translation.losses)))
    with _cluster(context, where) as api:
        return Deployment(api, source.stack.name or "", terms, tell).run(translation.objects)


def _to_swarm(
    context: Context,
    where: Where,
    source: Source,
    terms: Terms,
    warn: Callable[[Sequence[Diagnostic]], object],
    tell: Callable[[str, str], object],
) -> tuple[Change, ...]:
    from orchestra.cluster.swarm import SwarmDeployment
    from orchestra.model.desired import Condition
    from orchestra.translation.swarm.specs import specs
    from orchestra.translation.swarm.translate import translate_plain

    translation, stack = translate_plain(source), source.stack.name or ""
    warn((*source.warnings, *_apart_from_order(translation.losses)))
    services = source.stack.services
    completing = frozenset(
        name
        for service in services.values()
        for name, needed in (service.depends_on or {}).items()
        if Condition(needed.condition) is Condition.COMPLETED
    )
    made = specs(translation.objects[0], stack, translation.files, completing)
    needs: dict[str, dict[str, str]] = {
        f"{stack}_{key}": {f"{stack}_{name}": needed.condition for name, needed in (service.depends_on or {}).items()}
        for key, service in services.items()
    }
    kinds = {kind: getattr(made, kind) for kind in made._fields}
    with _swarm(context, where) as manager:
        return SwarmDeployment(manager, stack, terms, tell).run(kinds, needs)


def _apart_from_order(losses: Sequence[Diagnostic]) -> list[Diagnostic]:
    """``deploy`` keeps the order of starts, while a file that is applied by hand does not."""
    return [loss for loss in losses if not loss.subject.endswith(".depends_on")]


def local_images(source: Source) -> tuple[Diagnostic, ...]:
    """Images that are on this machine only, at their places."""
    from orchestra.driver.local.image.naming.reference import TRANSPORTS

    found = []
    for key, service in source.stack.services.items():
        path: tuple[str, ...] = ("services", key, "image")
        if service.image is None and service.build is not None:
            path, what = ("services", key, "build"), "the image is built here and has no name in a registry"
            hint = f"give it an image: REGISTRY/{key}:TAG, and run orchestra build --push"
        elif service.image and service.image.partition(":")[0] in TRANSPORTS:
            what, hint = (
                f"{service.image} is an image of this machine",
                "push it to a registry, and write its name here",
            )
        else:
            continue
        subject = ".".join(path)
        found.append(Diagnostic("local-image", f"{subject}: {what}", source.place(path), subject, hint))
    return tuple(found)


def pods(context: Context, where: Where, services: Sequence[str]) -> tuple[Pod, ...]:
    """The pods, or tasks, of these services, or of all."""
    from orchestra.cluster.view import pods as find_pods

    if where.driver == SWARM:
        from orchestra.cluster.tasks import tasks

        with _swarm(context, where) as manager:
            return tasks(manager, find_stack(context).stack, services)
    with _cluster(context, where) as api:
        return find_pods(api, find_stack(context).stack, services)


def removable(context: Context, where: Where, *, volumes: bool) -> tuple[str, ...]:
    """The names of the objects that ``remove`` would remove."""
    from orchestra.cluster.view import removable as find

    if where.driver == SWARM:
        from orchestra.cluster.swarm import of_stack

        with _swarm(context, where) as manager:
            found = of_stack(manager, find_stack(context).stack)
            return tuple(f"{kind.removesuffix('s')}/{name}" for kind, items in found.items() for name in items)
    with _cluster(context, where) as api:
        return tuple(map(str, find(api, find_stack(context).stack, volumes=volumes)))


def remove(context: Context, where: Where, tell: Callable[[str, str], object], *, volumes: bool) -> int:
    """The number of objects that were removed. volumes: claims too, with the data that they hold."""
    stack = find_stack(context).stack
    if where.driver == SWARM:
        from orchestra.cluster.swarm import of_stack, take_away

        if volumes:
            raise UserError("volumes of a swarm are on its nodes", hint="remove them there, with docker volume rm")
        with _swarm(context, where) as manager:
            found = of_stack(manager, stack)
            take_away(manager, found, tell)
            return sum(map(len, found.values()))
    from orchestra.cluster import view

    with _cluster(context, where) as api:
        keys = view.removable(api, stack, volumes=volumes)
        view.remove(api, stack, keys, tell)
        return len(keys)


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
    with _cluster(context, where) as api:
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


@contextlib.contextmanager
def _cluster(context: Context, where: Where) -> Iterator[Api]:
    from orchestra.cluster.access import find_access
    from orchestra.cluster.api import Api
    from orchestra.cluster.http import Http

    access = find_access(context.environment, where.context)
    with contextlib.closing(Http(access, context.environment)) as http:
        yield Api(http, where.namespace or access.namespace)


@contextlib.contextmanager
def _swarm(context: Context, where: Where) -> Iterator[Manager]:
    from orchestra.cluster.manager import DEFAULT, Manager

    host = where.host or context.environment.get("DOCKER_HOST") or DEFAULT
    with contextlib.closing(Manager(host, context.environment)) as manager:
        yield manager
