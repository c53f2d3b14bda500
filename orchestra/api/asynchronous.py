"""The same for asynchronous programs: each call waits in a thread that keeps no process alive."""

from __future__ import annotations

import socket
from concurrent.futures import Future
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Generic, TypeVar

from anyio import CancelScope, wait_readable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestra.api.event_stream import AsyncEventStream
    from orchestra.api.log import LogLine
    from orchestra.api.opening import Opening
    from orchestra.api.program import ExecResult
    from orchestra.api.stack import Address, RunningStack
    from orchestra.errors import Diagnostic
    from orchestra.model.result import Exit
    from orchestra.stacks.containers import ContainerRow

T = TypeVar("T")


class Call(Generic[T]):
    """A call in a thread of its own. Its argument is a descriptor that is readable once it is cancelled."""

    def __init__(self, function: Callable[[int], T]) -> None:
        self._future: Future[T] = Future()
        self._here, there = socket.socketpair()

        def run() -> None:
            with there:  # closing it wakes the reader of the other end
                try:
                    result = function(there.fileno())
                except BaseException as error:  # the waiting task raises it
                    self._future.set_exception(error)
                else:
                    self._future.set_result(result)

        Thread(target=run, name="orchestra", daemon=True).start()

    async def wait(self) -> T:
        """Its result. Raises what it raises."""
        await wait_readable(self._here)
        return self._future.result()

    async def end(self) -> None:
        """Wait until it is over, whatever came of it."""
        await wait_readable(self._here)

    def give_up(self) -> None:
        self._here.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Call[T]:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._here.close()


async def in_thread(function: Callable[[], T]) -> T:
    """When this is cancelled, the call goes on by itself."""
    return await in_thread_until_stopped(lambda _stop: function())


async def in_thread_until_stopped(function: Callable[[int], T]) -> T:
    with Call(function) as call:
        return await call.wait()


async def in_thread_to_its_end(function: Callable[[int], T]) -> T:
    """When this is cancelled, the call is given up, and over when this returns: it can do nothing afterwards."""
    with Call(function) as call:
        try:
            return await call.wait()
        except BaseException:
            with CancelScope(shield=True):
                call.give_up()
                await call.end()
            raise


class AsyncOpening:
    """The asynchronous side of an ``Opening``. Cancelled, it takes down what has come up so far."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    async def open(self) -> AsyncRunningStack:
        try:
            return AsyncRunningStack(await in_thread_to_its_end(self._opening.open))
        except BaseException:
            await self.close()  # it may have come up just before
            raise

    async def close(self) -> None:
        with CancelScope(shield=True):
            await in_thread(self._opening.close)


class AsyncRunningStack:
    """A ``RunningStack`` with methods to await, which do the same. Those that wait can be cancelled at any time."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self.name: str = stack.name
        self.services: tuple[str, ...] = stack.services
        self.notes: tuple[Diagnostic, ...] = stack.notes

    async def containers(self, *services: str) -> list[ContainerRow]:
        return await in_thread(partial(self._stack.containers, *services))

    async def address(self, service: str, port: int, *, protocol: str = "tcp", index: int | None = None) -> Address:
        return await in_thread(partial(self._stack.address, service, port, protocol=protocol, index=index))

    async def port(self, service: str, port: int, *, protocol: str = "tcp", index: int | None = None) -> int:
        return (await self.address(service, port, protocol=protocol, index=index)).port

    async def exec(
        self,
        service: str,
        command: Sequence[str],
        *,
        index: int | None = None,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
        directory: str = "",
        input: str | bytes = "",
        timeout: float | None = None,
        check: bool = False,
    ) -> ExecResult:
        """Cancelled, it kills the command."""
        return await in_thread_until_stopped(
            lambda stop: self._stack._exec(
                stop, service, command, index, user, environment, directory, input, timeout, check
            )
        )

    async def logs(self, *services: str, tail: int | None = None) -> list[LogLine]:
        return await in_thread(partial(self._stack.logs, *services, tail=tail))

    async def wait_for_log(self, service: str, pattern: str, *, timeout: float = 60.0) -> LogLine:
        return await in_thread_until_stopped(lambda stop: self._stack._wait_for_log(stop, service, pattern, timeout))

    def events(self) -> AsyncEventStream:
        """For ``async for``: what happens from now on, until the stack is down. Close it in the end."""
        from orchestra.api.event_stream import AsyncEventStream

        return AsyncEventStream(self._stack._context.client(self.name))

    async def wait(self, *services: str) -> tuple[Exit, ...]:
        return await in_thread(partial(self._stack.wait, *services))

    async def up(self, *services: str, wait: bool = True, timeout: float | None = None) -> None:
        await in_thread_to_its_end(lambda stop: self._stack._up(stop, services, wait, timeout))

    async def scale(self, service: str, count: int, *, wait: bool = True, timeout: float | None = None) -> None:
        await in_thread_to_its_end(lambda stop: self._stack._scale(stop, service, count, wait, timeout))

    async def start(self, *services: str, wait: bool = True, timeout: float | None = None) -> None:
        await in_thread(partial(self._stack.start, *services, wait=wait, timeout=timeout))

    async def stop(self, *services: str, timeout: float | None = None) -> None:
        await in_thread(partial(self._stack.stop, *services, timeout=timeout))

    async def restart(self, *services: str, timeout: float | None = None) -> None:
        await in_thread(partial(self._stack.restart, *services, timeout=timeout))

    async def kill(self, *services: str, signal: str = "SIGKILL") -> None:
        await in_thread(partial(self._stack.kill, *services, signal=signal))

    async def crash(self, *services: str) -> None:
        await in_thread(partial(self._stack.crash, *services))

    async def pause(self, *services: str) -> None:
        await in_thread(partial(self._stack.pause, *services))

    async def unpause(self, *services: str) -> None:
        await in_thread(partial(self._stack.unpause, *services))

    async def down(self, *, remove_volumes: bool = False, timeout: float | None = None) -> None:
        await in_thread(partial(self._stack.down, remove_volumes=remove_volumes, timeout=timeout))
