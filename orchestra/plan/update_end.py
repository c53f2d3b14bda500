"""What follows when an update is over: the desired state after it has succeeded, or has failed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.desired import Earlier, ImageSpec
from orchestra.model.mount import ImageMount
from orchestra.model.update import Ending, Failing, FailureAction, Update
from orchestra.plan.stand_ins import numbered
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.names import ContainerName, ServiceName
    from orchestra.model.observed import Observed
    from orchestra.plan.plan import Plan
    from orchestra.plan.rolling import FailedUpdate


def after_updates(current: Desired, planned: Desired, observed: Observed, plan: Plan, at: float) -> Desired:
    """The desired state after the updates that ended by this plan. planned: what it was made for; at: Unix time.

    Services that another command has named in the meantime stay as they are.
    """
    succeeded = [service for service in plan.updated if current.wish(service).at == planned.wish(service).at]
    after = after_success(current, succeeded) if succeeded else current
    ended = _leading_back(planned) - _leading_back(current)
    for failed in plan.failing:
        if current.wish(failed.service).at == planned.wish(failed.service).at and failed.service not in ended:
            after = after_failure(after, observed, failed, at)
    return after


def _leading_back(desired: Desired) -> frozenset[ServiceName]:
    return frozenset(each.spec.service for each in desired.earlier)


def after_success(desired: Desired, services: Collection[ServiceName]) -> Desired:
    """The desired state without a way back for these services, so that later failures do not end the update."""
    return replace(desired, earlier=tuple(each for each in desired.earlier if each.spec.service not in services))


def after_failure(desired: Desired, observed: Observed, failed: FailedUpdate, at: float) -> Desired:
    """The desired state in which the update is paused, or the former definition of the service is back, if it is known.

    at: Unix time.
    """
    earlier = {each.spec.name: each for each in desired.earlier if each.spec.service == failed.service}
    rolls_back = failed.action is FailureAction.ROLLBACK and bool(earlier)
    ending = Ending.ROLLED_BACK if rolls_back else Ending.PAUSED
    marked = replace(desired, failing={**desired.failing, failed.service: Failing(ending, at, failed.reason)})
    return _rolled_back(marked, observed, failed.service, earlier) if rolls_back else marked


def _rolled_back(
    desired: Desired, observed: Observed, service: ServiceName, earlier: Mapping[ContainerName, Earlier]
) -> Desired:
    """As many replicas as there are now, with the former definition. What it needs besides is wanted again."""
    template = next(iter(earlier.values())).spec
    containers: list[ContainerSpec] = []
    ways_back = [each for each in desired.earlier if each.spec.service != service]
    for spec in desired.containers:
        if spec.service != service or spec.one_off is not None:
            containers.append(spec)
            continue
        former = earlier[spec.name].spec if spec.name in earlier else numbered(template, spec.index)
        how = spec.rollback or Update()
        if how.failure_action is FailureAction.ROLLBACK:
            how = replace(how, failure_action=FailureAction.PAUSE)
        containers.append(replace(former, update=how, rollback=spec.rollback, rank=spec.rank))
        seen = observed.images.get(spec.image_key)
        ways_back.append(Earlier(spec, seen.digest if seen else ""))
    held = {endpoint.network for spec in containers for endpoint in spec.endpoints}
    known = {network.name for network in desired.networks}
    images = {image.key: image for image in desired.images}
    for reference, platform in (pair for spec in containers for pair in _images(spec)):
        image = ImageSpec(reference, platform)
        images.setdefault(image.key, image)
    return replace(
        desired,
        containers=tuple(containers),
        networks=(
            *desired.networks,
            *(each for each in desired.earlier_networks if each.name in held and each.name not in known),
        ),
        images=tuple(images.values()),
        earlier=tuple(ways_back),
    )


def _images(spec: ContainerSpec) -> Iterator[tuple[str, str]]:
    """Reference and platform of each image that it needs."""
    yield spec.image, spec.platform
    yield from ((mount.image, spec.platform) for mount in spec.mounts if isinstance(mount, ImageMount))
    yield from ((init.image, init.platform) for init in spec.pre_start)
