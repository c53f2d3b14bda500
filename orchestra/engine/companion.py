"""Processes of our own that the supervisor keeps beside it, for what it does not load itself."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Sequence


async def run_companion(module: str, arguments: Sequence[str], *, refusal: str, pass_fds: Sequence[int] = ()) -> None:
    """Run a module until its process has ended; when cancelled, kill it.

    Its standard input ends when the supervisor does. refusal: what to print if it cannot be started.
    """
    command = [sys.executable, "-P", "-m", module, *arguments]
    try:
        process = await anyio.open_process(
            command, stdin=subprocess.PIPE, stdout=None, stderr=None, start_new_session=True, pass_fds=pass_fds
        )
    except OSError as error:
        print(f"{refusal}: {error}", file=sys.stderr, flush=True)
        return
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()
