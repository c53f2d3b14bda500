"""An event loop whose time passes only while nothing else is left to do: hours of waiting take no time at all.

The same seed gives the same run. The order of what is due at the same moment is up to the seed, as it is up to chance
on a real machine.
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import contextmanager
from contextvars import copy_context
from heapq import heappop, heappush
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, Unpack

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from contextvars import Context

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

ROUNDS = 1_000_000
"""How many times the loop goes round at most: one life of a small stack takes about a thousand."""
RESOLUTION = 1e-9
"""Seconds by which two moments differ at least; hides what adding floats rounds."""


class Standstill(AssertionError):
    """Every task waits for another one, for ever."""


class Endless(AssertionError):
    """More happens than can be."""


class Handle(asyncio.Handle):
    """Made without asking whether the loop is being debugged."""

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[object, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._context = context or copy_context()
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = self._source_traceback = None


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """Has no files to wait for: where another loop would wait for them, time goes on to the next timer.

    What asyncio checks for its users' sake at each call is left out, since simulated lives make millions of them.
    """

    _ready: list[Any]

    def __init__(self, seed: object = 0, rounds: int = ROUNDS) -> None:
        super().__init__()
        self._rounds_left = rounds
        self._seconds = 0.0
        self._chance = Random(f"order {seed}")
        self._ready = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._set = 0

    def time(self) -> float:
        return self._seconds

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._seconds + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._set += 1
        heappush(self._timers, (when, self._set, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It stays until its time has come."""

    def _run_once(self) -> None:
        """Run what is ready, in an order of the seed.

        Raises Standstill if nothing is, and no timer is set; Endless after too many rounds; and what a callback raises.
        """
        if not self._ready:
            self._pass_time()
        self._rounds_left -= 1
        if self._rounds_left < 0:
            raise Endless("it goes on without an end")
        ready, self._ready = self._ready, []
        if len(ready) > 1 and self._chance.random() < 0.5:
            ready.reverse()
        for handle in ready:
            if not handle._cancelled:
                handle._context.run(handle._callback, *handle._args)

    def _pass_time(self) -> None:
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heappop(timers)
        if not timers:
            raise Standstill("nothing can happen any more")
        self._seconds = max(self._seconds, timers[0][0])
        while timers and timers[0][0] <= self._seconds + RESOLUTION:
            self._ready.append(heappop(timers)[2])

    def _write_to_self(self) -> None:
        """There is no other thread, so nothing to wake up."""


def run_in_virtual_time(live: Callable[[], Awaitable[T]], seed: object = 0, *, rounds: int = ROUNDS) -> T:
    """Run it to its end on a loop of its own, without collecting garbage meanwhile. rounds: of the loop, at most."""
    with _without_garbage_collection():
        options: dict[str, Any] = {"loop_factory": lambda: VirtualTimeLoop(seed, rounds)}
        return anyio.run(live, backend="asyncio", backend_options=options)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
