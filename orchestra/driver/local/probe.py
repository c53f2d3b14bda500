"""A health probe: one program executed in a container, cut off at its timeout, its first output kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.driver.local.bundle.process import render_process
from orchestra.driver.local.executed import OUTPUT_MAX, execute
from orchestra.engine.driver import ProbeResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from orchestra.driver.local.runtime.runtime import Runtime


async def run(runtime: Runtime, directory: str, command: Sequence[str], timeout: float) -> ProbeResult:
    """Raises TemporaryError while the container does not run, and DriverError when the program cannot be started."""

    def render(config: Mapping[str, Any]) -> dict[str, Any]:
        return render_process(config, tuple(command))

    def keep_first(output: bytearray) -> None:
        del output[OUTPUT_MAX:]

    code, text = await execute(runtime, directory, render, timeout, keep_first)
    return ProbeResult(code, text if code is not None else f"timed out after {timeout:g} s. {text}".rstrip())
