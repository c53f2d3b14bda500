"""Threads of the dashboard: what waits or works does so beside its loop, and hands results to it."""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

from textual.message import Message

from orchestra.errors import OrchestraError

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds that a thread has to end; none keeps the process alive."""


class Later(Message):
    """Something to call in the loop."""

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self.call = call


def in_loop(app: App[None], call: Callable[[], None]) -> None:
    """From any thread. Nothing happens once the app is over."""
    with suppress(RuntimeError):  # its loop is closed
        app.post_message(Later(call))


def raise_in_loop(app: App[None], error: BaseException) -> None:
    """End the dashboard with the error: without one of its threads it would show what is not true any more."""

    def again() -> None:
        raise error

    in_loop(app, again)


def work(
    app: App[None], do: Callable[[], T], then: Callable[[T], None], fail: Callable[[OrchestraError | OSError], None]
) -> None:
    """Do it in a thread that lasts as long as it takes, then call one of both in the loop."""

    def run() -> None:
        try:
            result = do()
        except (OrchestraError, OSError) as error:
            failure = error
            in_loop(app, lambda: fail(failure))
        except BaseException as error:  # a bug, which the loop raises
            raise_in_loop(app, error)
        else:
            in_loop(app, lambda: then(result))

    Thread(target=run, name="dashboard-work", daemon=True).start()


class Strand:
    """A thread that goes on until it is stopped. Its function gets a descriptor that is readable then."""

    def __init__(self, app: App[None], run: Callable[[int], None], name: str) -> None:
        self._app = app
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC)
        self._run = run
        self._thread = Thread(target=self._go, name=f"dashboard-{name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Does not wait for it. A second call does nothing."""
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> None:
        self._thread.join(PATIENCE)

    def _go(self) -> None:
        try:
            self._run(self._reader)
        except BaseException as error:  # a bug, which the loop raises
            raise_in_loop(self._app, error)
        finally:
            os.close(self._reader)


class Inbox(Generic[T]):
    """Things from threads for the loop, which is told once for all that wait. The oldest of too many are dropped.

    take: is called in the loop with what has come.
    """

    def __init__(self, app: App[None], take: Callable[[list[T]], None], most: int) -> None:
        self._app, self._take, self._most = app, take, most
        self._lock = Lock()
        self._waiting: list[T] = []

    def put(self, things: list[T]) -> None:
        with self._lock:
            tell = not self._waiting
            self._waiting += things
            del self._waiting[: -self._most]
        if tell and things:
            in_loop(self._app, self._empty)

    def _empty(self) -> None:
        with self._lock:
            things, self._waiting = self._waiting, []
        if things:
            self._take(things)
