"""An epoll(7) with a function for each descriptor. Each that is ready gets one turn, then the next one."""

from __future__ import annotations

import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READ, WRITE = select.EPOLLIN, select.EPOLLOUT


class Loop:
    """The functions must not wait, and may be called for nothing: a number can be in use again."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[], None]] = {}

    def __len__(self) -> int:
        return len(self._handlers)

    def fileno(self) -> int:
        return self._epoll.fileno()

    def watch(self, fd: int, handler: Callable[[], None], events: int = READ) -> None:
        self._handlers[fd] = handler
        self._epoll.register(fd, events)

    def change(self, fd: int, events: int) -> None:
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Call this before the descriptor is closed."""
        del self._handlers[fd]
        self._epoll.unregister(fd)

    def turn(self, seconds: float | None = None, most: int = -1) -> None:
        """One turn for at most so many that are ready. seconds: to wait for the first; None: without a limit."""
        ready = self._epoll.poll(seconds, most)
        if len(ready) > 1:
            # The lowest numbers were opened first: news comes before the questions that it may concern.
            ready.sort()
        for fd, _events in ready:
            handler = self._handlers.get(fd)
            if handler is not None:
                handler()

    def close(self) -> None:
        self._epoll.close()
