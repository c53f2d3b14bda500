"""Processes that unpack layers, as seen by the process that starts them (``unpack_process``)."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
from typing import TYPE_CHECKING, Self

from orchestra.driver.local.image.content.growing import WHOLE
from orchestra.errors import FatalError, TemporaryError
from orchestra.record import fields

if TYPE_CHECKING:
    from orchestra.driver.local.image.content.arrival import Arrival
    from orchestra.driver.local.image.layers.layer import Layer
    from orchestra.home import Home


class Unpackers:
    """They are started when there is work for one more. Safe across threads."""

    def __init__(self, home: Home, count: int) -> None:
        self._home = home
        self._idle: queue.SimpleQueue[subprocess.Popen[str] | None] = queue.SimpleQueue()
        for _ in range(count):
            self._idle.put(None)
        self._begun: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        for process in self._begun:
            # This closes its pipes, so that it ends, and waits for it; it may have ended with a request unread.
            with contextlib.suppress(BrokenPipeError), process:
                pass

    def commit(self, layer: Layer, arrival: Arrival, *, is_lowest: bool) -> bool:
        """Unpack from the moment its blob begins to come. Returns False if the layer needs those below it first.

        Raises DriverError, or the blob's failure; then ``kill`` the processes.
        """
        count = arrival.after(-1)
        process = self._idle.get() or self._begin()
        assert process.stdin is not None
        assert process.stdout is not None
        request = json.dumps({"layer": fields(layer), "below": [] if is_lowest else None})
        try:
            process.stdin.write(f"{request}\n")
            while count is not None:
                process.stdin.write(f"{count}\n")
                process.stdin.flush()
                count = arrival.after(count)
            process.stdin.write(WHOLE)
            process.stdin.flush()
            reply = process.stdout.readline()
        except BrokenPipeError:
            reply = ""
        # The place of a process that has ended is free for another.
        self._idle.put(process if reply else None)
        if not reply:
            code = process.wait()
            hint = "unless it was killed on purpose, check whether the machine ran out of memory" if code < 0 else ""
            raise TemporaryError(f"{layer.what}: the process that unpacks it ended with {code}", hint=hint)
        answer = json.loads(reply)
        if "error" in answer:
            kind = TemporaryError if answer["temporary"] else FatalError
            raise kind(answer["error"], hint=answer["hint"])
        return bool(answer["done"])

    def kill(self) -> None:
        for process in self._begun:
            process.kill()

    def _begin(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-P", "-m", "orchestra.driver.local.image.layers.unpack_process", *self._home]
        # A session of its own: an interrupt goes to the process that waits, which then ends these.
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._begun.append(process)
        return process
