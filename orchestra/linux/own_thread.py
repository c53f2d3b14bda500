"""Calling a function in a thread that ends with it.

Joining or making a namespace, or a working directory of its own, concerns one thread: no error can leave the caller's
thread in the wrong one.
"""

from __future__ import annotations

import threading
from typing import TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def in_own_thread(function: Callable[[], T], name: str = "own thread") -> T:
    """Return or raise what ``function`` does. name: of the thread."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:  # any exception belongs to the caller
            errors.append(error)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
