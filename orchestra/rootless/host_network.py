"""Calls in the host's network by a process that works in the network of its home.

A thread that has left the host's network cannot come back: that would take privileges over it. So one thread stays
there, and starts others on request.
"""

from __future__ import annotations

import queue
import threading
from typing import ParamSpec, TypeVar

from orchestra.linux.namespaces import CLONE_NEWNET, join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

_wanted: list[queue.SimpleQueue[threading.Thread]] = []


def leave(path: str) -> None:
    """Have this thread, and those that it starts from now on, work in the network namespace at ``path``."""
    asked: queue.SimpleQueue[threading.Thread] = queue.SimpleQueue()
    threading.Thread(target=_start_each, args=(asked,), name="host network", daemon=True).start()
    _wanted[:] = [asked]
    join(path, CLONE_NEWNET)


def in_host_network(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return or raise what ``function`` does there. Without ``leave`` before, it is simply called."""
    if not _wanted:
        return function(*args, **kwargs)
    results: list[T] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            results.append(function(*args, **kwargs))
        except BaseException as error:  # any exception belongs to the caller
            errors.append(error)
        finally:
            done.set()

    _wanted[0].put(threading.Thread(target=run, name="in the host's network", daemon=True))
    done.wait()
    if errors:
        raise errors[0]
    return results[0]


def _start_each(asked: queue.SimpleQueue[threading.Thread]) -> None:
    while True:
        asked.get().start()
