"""A program executed in a container on behalf of the engine: cut off at its timeout, a part of its output kept."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

from orchestra.container.directory import ContainerDirectory, DamagedFile
from orchestra.errors import FatalError, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from orchestra.driver.local.runtime.runtime import Runtime
    from orchestra.shim.client import Entering, Execution

    Render = Callable[[Mapping[str, Any]], dict[str, Any]]
    """Makes the process object of the program from the container's configuration."""
    Keep = Callable[[bytearray], None]
    """Shortens the output to what is kept."""

OUTPUT_MAX = 4096
"""Bytes of output that are kept, as Docker does for probes."""


async def execute(
    runtime: Runtime, directory: str, render: Render, timeout: float | None, keep: Keep
) -> tuple[int | None, str]:
    """The exit code, None if the program was killed at its timeout (seconds; None for none); and the output.

    Raises TemporaryError while the container does not run, and DriverError when the program cannot be started. The
    timeout covers the program's way into the container as well: a process there may stop it before it runs.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(reader, False)
    output = bytearray()
    code: int | None = None
    try:
        try:
            entering = await run_sync(_enter, runtime, directory, render, writer)
        finally:
            os.close(writer)
        with entering, anyio.move_on_after(timeout):
            await anyio.wait_readable(entering)
            with runtime.begun(directory, entering) as execution:
                code = await _follow(execution, reader, output, keep)
        _take(reader, output, keep)
    finally:
        os.close(reader)
    return code, bytes(output).decode(errors="replace")


def _enter(runtime: Runtime, directory: str, render: Render, output: int) -> Entering:
    try:
        config = ContainerDirectory(directory).load_config()
    except FileNotFoundError:
        raise TemporaryError(f"container {os.path.basename(directory)} is being made") from None
    except DamagedFile as error:
        raise FatalError(f"container {os.path.basename(directory)}: {error}") from error
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return runtime.enter(directory, render(config), (null, output, output))
    finally:
        os.close(null)


async def _follow(execution: Execution, reader: int, output: bytearray, keep: Keep) -> int:
    """Read its output until that ends or the program does, so that it never blocks on a full pipe."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(_collect, reader, output, keep))
        await anyio.wait_readable(execution)
        tasks.cancel_scope.cancel()
    return execution.wait()


async def _collect(reader: int, output: bytearray, keep: Keep) -> None:
    while True:
        await anyio.wait_readable(reader)
        if not _take(reader, output, keep):
            return


def _take(reader: int, output: bytearray, keep: Keep) -> bool:
    """Read what is there now; False at the end of the file."""
    while True:
        try:
            data = os.read(reader, 65536)
        except BlockingIOError:
            return True
        if not data:
            return False
        output += data
        keep(output)
