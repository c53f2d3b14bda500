"""A hook of a service, executed in its container: with its own user, directory and variables, its last output kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.driver.local.bundle.process import render_process
from orchestra.driver.local.executed import OUTPUT_MAX, execute
from orchestra.driver.local.observe import observe_container
from orchestra.driver.local.user import resolve_user_within
from orchestra.engine.driver import ProbeResult
from orchestra.errors import TemporaryError
from orchestra.linux.security.capabilities import held_names
from orchestra.model.observed import Running

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.driver.local.runtime.runtime import Runtime
    from orchestra.model.hook import Hook


async def run(runtime: Runtime, directory: str, hook: Hook, timeout: float | None) -> ProbeResult:
    """timeout: seconds, None for none. Raises TemporaryError while the container does not run, and DriverError."""

    def render(config: Mapping[str, Any]) -> dict[str, Any]:
        container = observe_container(directory)
        if container is None or not isinstance(container.status, Running):
            raise TemporaryError(f"container {directory.rpartition('/')[2]} is not running")
        return render_process(
            config,
            hook.command,
            user=resolve_user_within(container.status.pid, hook.user) if hook.user else None,
            environment=hook.environment,
            working_directory=hook.working_directory,
            privileged=hook.privileged,
            capabilities=held_names() if hook.privileged else (),
        )

    def keep_last(output: bytearray) -> None:
        del output[:-OUTPUT_MAX]

    return ProbeResult(*await execute(runtime, directory, render, timeout, keep_last))
