"""Which actions under way no longer make sense when the desired state changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from orchestra.model.wish import Recreate
from orchestra.plan.action import (
    CheckContainer,
    ConnectContainer,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    DisconnectContainer,
    DrainContainer,
    PullImage,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    RunHooks,
    StartContainer,
    StopContainer,
)

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.plan.action import Action


def is_superseded(action: Action, desired: Desired) -> bool:
    """Whether ``action`` should be cancelled because ``desired`` no longer asks for it.

    Actions that end or remove something are completed: half of it is done already. Only a stop that may now take less
    time is started again.
    """
    match action:
        case PullImage(image=image):
            return all(spec.key != image.key for spec in desired.images)
        case CheckContainer(spec=spec) | CreateContainer(spec=spec):
            wanted = desired.container(spec.name)
            return wanted is None or wanted.config_hash != spec.config_hash or _rests(desired, wanted)
        case StartContainer(name=name):
            wanted = desired.container(name)
            return wanted is None or _rests(desired, wanted)
        case RunHooks(name=name, config_hash=made_from, run=began_at):
            wanted = desired.container(name)
            if wanted is None or wanted.config_hash != made_from or _rests(desired, wanted):
                return True
            wish = desired.wish_of(wanted)
            ends = wish.restart or wish.recreate is Recreate.ALWAYS
            return wanted.one_off is None and ends and began_at < wish.at
        case StopContainer(name=name, timeout=timeout):
            wanted = desired.container(name)
            asked = desired.stop_timeout(wanted) if wanted else desired.request.stop_timeout
            return asked is not None and asked < timeout
        case CreateNetwork() | CreateVolume() | RemoveNetwork() | RemoveVolume() | RemoveContainer():
            return False
        case ConnectContainer() | DisconnectContainer() | DrainContainer():
            return False
        case _:
            assert_never(action)


def _rests(desired: Desired, spec: ContainerSpec) -> bool:
    return spec.one_off is None and desired.wish_of(spec).rests
