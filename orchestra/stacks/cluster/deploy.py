"""``deploy``: make a cluster run the stack."""

from __future__ import annotations

from orchestra.model.project import Chosen
from orchestra.stacks.cluster.images import check_local, check_pushed, push_built
from orchestra.stacks.cluster.logins import find_logins
from orchestra.stacks.cluster.passes import Asked, Effected, effected, kubernetes_pass, swarm_pass
from orchestra.stacks.cluster.where import SWARM
from orchestra.stacks.stack_file import StackFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestra.cluster.change import Change
    from orchestra.cluster.registries import Login
    from orchestra.errors import Diagnostic
    from orchestra.translation.source import Source

    Warn = Callable[[Sequence[Diagnostic]], object]


def deploy(asked: Asked, warn: Warn, *, push: bool = False, with_logins: bool = False) -> tuple[Effected, ...]:
    """Every object of the stack, and what happened to it. warn: hears what has no counterpart before anything is done.

    push: send images that were built here to their registries first. with_logins: give the cluster those of this
    machine for the registries of the images.

    Raises the errors of a load, ComposeError for images that the cluster cannot get, EnvironmentLack without a cluster,
    and FatalError when it is not ready, after it was rolled back.
    """
    from orchestra.translation.source import read

    source = read(StackFile(asked.context).load_request(Chosen()))
    check_local(source)
    if push:
        source = push_built(asked, source)
    else:
        check_pushed(asked, source)
    images = {service.image for service in source.stack.services.values() if service.image}
    logins = find_logins(images, asked.context.environment) if with_logins else {}
    how = _to_swarm if asked.where.driver == SWARM else _to_kubernetes
    return effected(how(asked, source, warn, logins), asked.terms)


def _to_kubernetes(asked: Asked, source: Source, warn: Warn, logins: Mapping[str, Login]) -> tuple[Change, ...]:
    from orchestra.cluster.registries import with_pull_secret
    from orchestra.translation.kubernetes.translate import translate

    translation, stack = translate(source), source.stack.name or ""
    warn((*source.warnings, *_apart_from_order(translation.losses)))
    objects = translation.objects
    if logins:
        objects = with_pull_secret(objects, stack, [*dict.fromkeys(logins.values())])
    with kubernetes_pass(asked, stack) as (_api, deployment):
        return deployment.run(objects)


def _to_swarm(asked: Asked, source: Source, warn: Warn, logins: Mapping[str, Login]) -> tuple[Change, ...]:
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
    with swarm_pass(asked, stack) as (_manager, deployment):
        return deployment.run(kinds, needs, logins)


def _apart_from_order(losses: Sequence[Diagnostic]) -> list[Diagnostic]:
    """``deploy`` keeps the order of starts, while a file that is applied by hand does not."""
    return [loss for loss in losses if loss.code != "approximated" or not loss.subject.endswith(".depends_on")]
