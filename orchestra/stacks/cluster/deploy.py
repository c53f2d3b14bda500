"""``deploy``: make a cluster run the stack."""

from __future__ import annotations

import contextlib

from orchestra.errors import ComposeError, Diagnostic
from orchestra.model.project import Chosen
from orchestra.record import Record
from orchestra.stacks.cluster.logins import find_logins
from orchestra.stacks.cluster.where import SWARM, Where, open_kubernetes, open_swarm
from orchestra.stacks.stack_file import StackFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestra.cluster.api import Api
    from orchestra.cluster.change import Change, Terms
    from orchestra.cluster.registries import Login
    from orchestra.stacks.context import Context
    from orchestra.translation.source import Source


class Effected(Record):
    """name: ``deployment/web``. effect: created, changed, replaced, unchanged or removed. difference: as a diff."""

    name: str
    effect: str
    difference: str = ""


def deploy(
    context: Context,
    where: Where,
    terms: Terms,
    warn: Callable[[Sequence[Diagnostic]], object],
    tell: Callable[[str, str], object],
    *,
    with_logins: bool = False,
) -> tuple[Effected, ...]:
    """Every object of the stack, and what happened to it. warn: hears what has no counterpart before anything is done.

    with_logins: give the cluster those of this machine for the registries of the images. tell: hears of an object what
    happens to it.

    Raises the errors of a load, ComposeError for images that the cluster cannot get, EnvironmentLack without a cluster,
    and FatalError when it is not ready, after it was rolled back.
    """
    from orchestra.translation.source import read

    source = read(StackFile(context).load_request(Chosen()))
    if local := local_images(source):
        raise ComposeError(local)
    images = {service.image for service in source.stack.services.values() if service.image}
    logins = find_logins(images, context.environment) if with_logins else {}
    how = _to_swarm if where.driver == SWARM else _to_kubernetes
    return effected(how(context, where, source, terms, warn, tell, logins), terms)


def effected(changes: Sequence[Change], terms: Terms) -> tuple[Effected, ...]:
    """With differences if nothing was changed yet."""
    from orchestra.cluster.difference import difference

    return tuple(Effected(str(each.key), each.effect, difference(each) if terms.dry else "") for each in changes)


def _to_kubernetes(
    context: Context,
    where: Where,
    source: Source,
    terms: Terms,
    warn: Callable[[Sequence[Diagnostic]], object],
    tell: Callable[[str, str], object],
    logins: Mapping[str, Login],
) -> tuple[Change, ...]:
    from orchestra.cluster.deploy import Deployment
    from orchestra.cluster.registries import with_pull_secret
    from orchestra.translation.kubernetes.translate import translate

    translation = translate(source)
    warn((*source.warnings, *_apart_from_order(translation.losses)))
    stack = source.stack.name or ""
    objects = translation.objects
    if logins:
        objects = with_pull_secret(objects, stack, [*dict.fromkeys(logins.values())])
    with open_kubernetes(context, where) as api, told_of_changes(api, stack, terms) as pause:
        return Deployment(api, stack, terms, tell, pause=pause).run(objects)


@contextlib.contextmanager
def told_of_changes(api: Api, stack: str, terms: Terms) -> Iterator[Callable[[float], object]]:
    """Something that waits until a workload or pod of the stack changes."""
    from orchestra.cluster.change import pause_briefly
    from orchestra.cluster.kinds import WORKLOADS, path_of, selector
    from orchestra.cluster.watch import News

    if terms.dry or not terms.wait:
        yield pause_briefly
        return
    workloads = [(path_of(api.namespace, kind), {"labelSelector": selector(stack)}) for kind in WORKLOADS]
    with News(api, [*workloads, api.pods_path(stack)]) as news:
        yield news.wait


def _to_swarm(
    context: Context,
    where: Where,
    source: Source,
    terms: Terms,
    warn: Callable[[Sequence[Diagnostic]], object],
    tell: Callable[[str, str], object],
    logins: Mapping[str, Login],
) -> tuple[Change, ...]:
    from orchestra.cluster.swarm import SwarmDeployment
    from orchestra.model.container import Condition
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
    with open_swarm(context, where) as manager:
        return SwarmDeployment(manager, stack, terms, tell).run(kinds, needs, logins)


def _apart_from_order(losses: Sequence[Diagnostic]) -> list[Diagnostic]:
    """``deploy`` keeps the order of starts, while a file that is applied by hand does not."""
    return [loss for loss in losses if loss.code != "approximated" or not loss.subject.endswith(".depends_on")]


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
