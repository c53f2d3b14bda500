"""Suspends and resumes all processes of a container, with the freezer of its control group."""

from __future__ import annotations

from orchestra.container.directory import ContainerDirectory
from orchestra.driver.local.look import PAUSE
from orchestra.driver.local.observe import observe_container
from orchestra.driver.local.record import store_pause
from orchestra.errors import FatalError
from orchestra.linux import cgroup
from orchestra.linux.cgroup import freezer
from orchestra.linux.syscall import SystemCallError
from orchestra.model.observed import Running


def pause(directory: str) -> None:
    """Ignores a container that is not running. Raises FatalError if its group cannot be frozen."""
    container = observe_container(directory)
    if container is None or not isinstance(container.status, Running):
        return
    store_pause(directory, container.status.started_at)
    try:
        freezer.freeze(_group(directory))
    except SystemCallError as error:
        unpause(directory)
        now = observe_container(directory)
        if now is None or not isinstance(now.status, Running):
            return  # it has just ended, and its group with it
        raise FatalError(f"container {container.name} cannot be paused: {error}") from error


def unpause(directory: str) -> None:
    """Ignores a container that is not paused, or that is gone."""
    if observe_container(directory) is None:
        return
    group = _group(directory)
    if freezer.is_frozen(group):
        freezer.thaw(group)
    ContainerDirectory(directory).remove(PAUSE)


def _group(directory: str) -> cgroup.Cgroup:
    return cgroup.at(ContainerDirectory(directory).load_config()["linux"].get("cgroupsPath") or "")
