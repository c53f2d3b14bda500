"""Layers of the content store into the snapshots, several at a time: each is made by itself, whatever lies below it.

An archive that goes through directories without an entry of their own is the exception: it is made again when those
below it are there. Python's own part of the work is most of it, so it is done in processes (``unpack_process``).
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from orchestra.driver.local.image.failure import file_errors
from orchestra.errors import FatalError, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.driver.local.image.content import ContentStore
    from orchestra.driver.local.snapshot import Snapshotter
    from orchestra.home import Home

PROCESSES = 4
# Bytes of compressed layers from which on processes of their own are worth their start.
WORTHWHILE = 4 << 20


@dataclass(frozen=True, slots=True)
class Layer:
    """One to be unpacked. blob: its digest, of ``size`` bytes; what: words for it, for errors."""

    chain_id: str
    blob: str
    size: int
    diff_id: str
    what: str


def commit_layer(content: ContentStore, snapshots: Snapshotter, layer: Layer, below: Sequence[str] | None) -> str:
    """Its directory. below: see ``unpack_layer``. Raises BelowNeeded or a DriverError."""
    from orchestra.driver.local.image.unpack import unpack_layer

    def fill(directory: str) -> None:
        with file_errors(layer.what), content.open(layer.blob) as stream:
            found = unpack_layer(stream, directory, below=below, what=layer.what)
        if found != layer.diff_id:
            hint = "fetch or make the image again"
            raise FatalError(f"{layer.what} unpacks to {found}, not to {layer.diff_id}", hint=hint)

    return snapshots.commit(layer.chain_id, fill)


def commit_layers(
    home: Home, content: ContentStore, snapshots: Snapshotter, layers: Sequence[Layer], settle: Callable[[str], None]
) -> None:
    """All of an image, lowest first. settle: wait until a blob is there. Raises DriverError."""
    missing = [layer for layer in layers if not snapshots.has(layer.chain_id)]
    processes = min(PROCESSES, len(missing), len(os.sched_getaffinity(0)))
    if processes > 1 and sum(layer.size for layer in missing) >= WORTHWHILE:
        # The largest first, as they are fetched: what is left at the end is small.
        ordered = sorted(missing, key=lambda layer: -layer.size)
        with Unpackers(home, processes) as unpackers, ThreadPoolExecutor(processes, "unpack") as pool:
            futures = []
            try:
                for layer in ordered:
                    settle(layer.blob)
                    futures.append(pool.submit(unpackers.commit, layer, is_lowest=layer == layers[0]))
                wait(futures, return_when=FIRST_EXCEPTION)
                for future in futures:
                    if future.done():
                        future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                unpackers.kill()
                raise
    below: tuple[str, ...] = ()
    for layer in layers:
        if not snapshots.has(layer.chain_id):
            settle(layer.blob)
        below = (commit_layer(content, snapshots, layer, below), *below)


class Unpackers:
    """Processes that unpack, begun when there is work for one more."""

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
            # Which closes its pipes, so that it ends, and waits for it; it may have ended with a request unread.
            with contextlib.suppress(BrokenPipeError), process:
                pass

    def commit(self, layer: Layer, *, is_lowest: bool) -> bool:
        """Whether the layer is there now: otherwise it needs those below it. Raises DriverError."""
        process = self._idle.get() or self._begin()
        assert process.stdin is not None
        assert process.stdout is not None
        request = json.dumps({"layer": asdict(layer), "below": [] if is_lowest else None})
        try:
            process.stdin.write(f"{request}\n")
            process.stdin.flush()
            reply = process.stdout.readline()
        except BrokenPipeError:
            reply = ""
        # The place of one that has ended is for another.
        self._idle.put(process if reply else None)
        if not reply:
            code = process.wait()
            hint = "if nobody stopped it, see whether memory ran out" if code < 0 else ""
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
        command = [sys.executable, "-P", "-m", "orchestra.driver.local.image.unpack_process", *self._home]
        # A session of its own: an interrupt is for the one who waits, and who then ends these.
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._begun.append(process)
        return process
