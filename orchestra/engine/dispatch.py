"""Maps each action to the driver call that performs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from orchestra.plan.action import (
    CheckContainer,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    PullImage,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    StartContainer,
    StopContainer,
)

if TYPE_CHECKING:
    from orchestra.engine.driver import Driver
    from orchestra.model.observed import Image
    from orchestra.plan.action import Action

LIMITS: dict[type, int] = {
    PullImage: 4,
    CheckContainer: 16,
    CreateContainer: 16,
    StartContainer: 16,
    RemoveContainer: 16,
}
"""How many actions of a kind run at once. Stopping is mostly waiting, so it has no limit."""


async def perform(driver: Driver, action: Action) -> Image | None:
    """Perform an action. Returns the image for a pull, since only the driver knows it. Raises DriverError."""
    match action:
        case PullImage(image=image):
            return await driver.pull(image)
        case CreateNetwork(spec=network):
            await driver.create_network(network)
        case RemoveNetwork(name=name):
            await driver.remove_network(name)
        case CreateVolume(spec=volume):
            await driver.create_volume(volume)
        case RemoveVolume(name=name):
            await driver.remove_volume(name)
        case CheckContainer(spec=container, image_digest=digest):
            await driver.check(container, digest)
        case CreateContainer(spec=container, image_digest=digest):
            await driver.create(container, digest)
        case StartContainer(name=name, restarts=restarts, backoff=backoff):
            await driver.start(name, restarts=restarts, backoff=backoff)
        case StopContainer(name=name, signal=signal, timeout=timeout):
            await driver.stop(name, signal=signal, timeout=timeout)
        case RemoveContainer(name=name, volumes=volumes):
            await driver.remove(name, volumes=volumes)
        case _:
            assert_never(action)
    return None


def container_of(action: Action) -> str | None:
    """The name of the container that an action changes, if it changes one."""
    match action:
        case CreateContainer(spec=spec):
            return spec.name
        case StartContainer(name=name) | StopContainer(name=name) | RemoveContainer(name=name):
            return name
        case _:
            return None
