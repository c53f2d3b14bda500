"""Containers of bundles, whichever OCI runtime makes them.

The stack's fork server has a shim for each. It makes the container itself, or runs the runtime that the bundle names.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.runtime.failure import runtime_errors
from orchestra.shim import client

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.shim.client import Entering, Execution


class Runtime:
    """fork_socket: of the fork server of the stack.

    A *directory* holds the bundle and everything that becomes known of the container, see ``orchestra.container``. All
    calls block, do nothing if their result already holds, and raise DriverError.
    """

    def __init__(self, fork_socket: str) -> None:
        self._fork_socket = fork_socket

    def run(self, directory: str) -> tuple[str, ...]:
        """Create and start. Returns once the program runs, with warnings about what this machine could not apply."""
        with self._errors(directory):
            return client.run(self._fork_socket, directory).warnings

    def kill(self, directory: str, signal: int) -> None:
        """Send a signal to the first process. Does nothing if it has ended."""
        with self._errors(directory):
            try:
                client.kill(directory, signal)
            except ProcessLookupError:
                return

    def delete(self, directory: str) -> None:
        """End what is left of the container and remove everything but the directory."""
        with self._errors(directory):
            client.delete(directory)

    def enter(self, directory: str, process: Mapping[str, Any], stdio: Sequence[int]) -> Entering:
        """Run one more program in a running container; closing the result kills it if it is still on its way."""
        with self._errors(directory, errno.ESRCH):
            return client.enter(self._fork_socket, directory, process, stdio, tied=True)

    def begun(self, directory: str, entering: Entering) -> Execution:
        """Wait until that program runs; it is killed when the execution is closed."""
        with self._errors(directory, errno.ESRCH):
            return entering.begun()

    def _errors(self, directory: str, *passing: int) -> Any:
        # A missing socket means that the fork server is being replaced; a missing program does not.
        if not os.path.exists(self._fork_socket):
            passing = (*passing, errno.ENOENT)
        return runtime_errors(os.path.basename(directory), passing=passing)
