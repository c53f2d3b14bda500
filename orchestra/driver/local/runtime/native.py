"""Our own runtime: the stack's fork server makes containers, and their directories tell of them."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.runtime.failure import runtime_errors
from orchestra.shim import client

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.shim.client import Entering, Execution, State


class NativeRuntime:
    """fork_socket: of the fork server of the stack."""

    def __init__(self, fork_socket: str) -> None:
        self._fork_socket = fork_socket

    def create(self, directory: str) -> tuple[str, ...]:
        with self._errors(directory):
            return client.create(self._fork_socket, directory).warnings

    def start(self, directory: str) -> None:
        with self._errors(directory):
            client.start(directory)

    def run(self, directory: str) -> tuple[str, ...]:
        with self._errors(directory):
            return client.run(self._fork_socket, directory).warnings

    def state(self, directory: str) -> State:
        return client.state(directory)

    def kill(self, directory: str, signal: int) -> None:
        with self._errors(directory):
            try:
                client.kill(directory, signal)
            except ProcessLookupError:
                return

    def delete(self, directory: str) -> None:
        with self._errors(directory):
            client.delete(directory)

    def enter(self, directory: str, process: Mapping[str, Any], stdio: Sequence[int]) -> Entering:
        with self._errors(directory, errno.ESRCH):
            return client.enter(self._fork_socket, directory, process, stdio, tied=True)

    def begun(self, directory: str, entering: Entering) -> Execution:
        with self._errors(directory, errno.ESRCH):
            return entering.begun()

    def _errors(self, directory: str, *passing: int) -> Any:
        # A missing socket is a fork server that is being replaced; a missing program is not.
        if not os.path.exists(self._fork_socket):
            passing = (*passing, errno.ENOENT)
        return runtime_errors(os.path.basename(directory), passing=passing)
