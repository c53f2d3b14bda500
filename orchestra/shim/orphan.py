"""A container's first process that is not our child: its first shim was killed.

Its exit code comes from the fork server if it is a child of that, otherwise from the kernel.
"""

from __future__ import annotations

import os
import selectors

from orchestra.linux import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.linux.process import Process


class Orphan:
    """ended: called once, with its exit code or None, if it ends and the fork server will not tell the exit code."""

    def __init__(
        self, container: Process, selector: selectors.BaseSelector, ended: Callable[[int | None], None]
    ) -> None:
        """Raises ProcessLookupError if it has been reaped already."""
        self._container, self._selector, self._ended = container, selector, ended
        self._pidfd = process.open_pidfd(container)
        try:
            self._is_fork_servers = process.parent(container.pid) == os.getppid()
        except FileNotFoundError as error:
            os.close(self._pidfd)
            raise ProcessLookupError(*error.args) from error
        selector.register(self._pidfd, selectors.EVENT_READ, self._hear_end)

    def fork_server_ended(self) -> None:
        if self._is_fork_servers:
            self._is_fork_servers = False
            if not process.is_alive(self._container):
                self._ask_kernel()

    def _hear_end(self) -> None:
        self._selector.unregister(self._pidfd)
        if not self._is_fork_servers:
            self._ask_kernel()

    def _ask_kernel(self) -> None:
        self._ended(process.foreign_exit_code(self._container, self._pidfd))
