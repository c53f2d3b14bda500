"""Maps each action to the driver call that performs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import anyio

from orchestra.errors import FatalError, TemporaryError
from orchestra.model.observed import Running
from orchestra.named_tuple import NamedTuple
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
    from orchestra.engine.driver import Driver, ProbeResult
    from orchestra.model.observed import Container, Image
    from orchestra.plan.action import Action

LIMITS: dict[type, int] = {
    PullImage: 4,
    CheckContainer: 16,
    CreateContainer: 4,
    ConnectContainer: 16,
    DisconnectContainer: 16,
    StartContainer: 16,
    RemoveContainer: 16,
}
"""How many actions of a kind run at once.

Stopping and hooks are mostly waiting, so they have no limit. To create a container is mostly work: more at once would
only keep those that are made already from starting.
"""
LINES = 10
"""How many of the last lines of a failed hook's output are told."""


class Effect(NamedTuple):
    """What nothing predicts of an action. image: the one pulled. output: what its hooks have written.

    container: as the driver saw it at the end of the action, if it told.
    """

    image: Image | None = None
    container: Container | None = None
    output: str = ""


async def perform(driver: Driver, action: Action) -> Effect:
    """Raises DriverError."""
    match action:
        case PullImage(image=image):
            return Effect(image=await driver.pull(image))
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
            return Effect(container=await driver.create(container, digest))
        case ConnectContainer(name=name, endpoint=endpoint):
            await driver.connect(name, endpoint)
        case DisconnectContainer(name=name, network=left):
            await driver.disconnect(name, left)
        case StartContainer(name=name, restarts=restarts, backoff=backoff, runs_with=runs_with):
            started = await driver.start(name, restarts=restarts, backoff=backoff, runs_with=runs_with)
            return Effect(container=started)
        case RunHooks():
            return Effect(output=await _run_hooks(driver, action))
        case DrainContainer(name=name):
            await driver.drain(name)
        case StopContainer():
            return Effect(output=await _stop(driver, action))
        case RemoveContainer(name=name, volumes=volumes):
            await driver.remove(name, volumes=volumes)
        case _:
            assert_never(action)
    return Effect()


async def _run_hooks(driver: Driver, action: RunHooks) -> str:
    """Each success is recorded: a hook that was interrupted runs again, one that has succeeded does not.

    Returns what they have written.
    """
    output = ""
    for number, hook in enumerate(action.hooks[action.done :], action.done + 1):
        result = await driver.run_hook(action.name, hook, timeout=None)
        if result.exit_code != 0:
            raise await _hook_failure(driver, action.name, result, "correct the hook; orchestra up runs it again")
        output += _whole_lines(result)
        await driver.record_hooks(action.name, number)
    return output


def _whole_lines(result: ProbeResult) -> str:
    return "".join(f"{line}\n" for line in result.output.splitlines())


async def _stop(driver: Driver, action: StopContainer) -> str:
    """A hook that takes all the time is cut off. One that fails leaves the container as it is, as in Docker Compose.

    Returns what the hooks have written.
    """
    output = ""
    deadline = anyio.current_time() + action.timeout
    left = action.timeout
    for hook in action.hooks:
        if left <= 0 or not await _runs(driver, action.name):
            break
        try:
            result = await driver.run_hook(action.name, hook, timeout=left)
        except TemporaryError:
            if await _runs(driver, action.name):
                raise
            break
        left = deadline - anyio.current_time()
        if result.exit_code:
            raise await _hook_failure(driver, action.name, result, "with --timeout 0 it stops without its hooks")
        output += _whole_lines(result)
    await driver.stop(action.name, signal=action.signal, timeout=max(0.0, left))
    return output


async def _runs(driver: Driver, name: str) -> bool:
    container = await driver.inspect(name)
    return container is not None and isinstance(container.status, Running)


async def _hook_failure(driver: Driver, name: str, result: ProbeResult, hint: str) -> FatalError:
    """In the words of Docker Compose, which names the service, with the end of the output."""
    container = await driver.inspect(name)
    subject = container.service if container is not None else name
    lines = [line.rstrip() for line in result.output.splitlines() if line.strip()]
    said = "".join(f": {line}" if number == 0 else f"\n{line}" for number, line in enumerate(lines[-LINES:]))
    return FatalError(f"{subject} hook exited with status {result.exit_code}{said}", hint=hint)


def container_of(action: Action) -> str | None:
    """The name of the container that an action changes, if it changes one."""
    match action:
        case CreateContainer(spec=spec):
            return spec.name
        case StartContainer() | RunHooks() | StopContainer() | RemoveContainer():
            return action.name
        case ConnectContainer() | DisconnectContainer() | DrainContainer():
            return action.name
        case _:
            return None
