"""A process that forks pullers which die at a given point: ``puller.py DATA RUN``.

Requests come as lines of JSON: ``kind``, ``point``, ``reference`` and ``processes``, whether layers are unpacked in
processes while they come. Answers: the exit code, negative for a signal, and how many operations of the store there
were. It has one thread, so what it forks is sound.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import traceback

import orchestra.driver.local.image.layers.unpack  # noqa: F401
from orchestra.driver.local.image.layers import parallel as layers
from orchestra.driver.local.image.registry import Access
from orchestra.driver.local.image.registry.patience import Patience
from orchestra.driver.local.image.store import ImageStore
from orchestra.errors import DriverError, TemporaryError
from orchestra.home import Home
from orchestra.linux.process import PR_SET_DUMPABLE, prctl
from orchestra.model.desired import ImageSpec

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
UNPACKER_DIED = 3
CHANGES = frozenset(
    f"os.{name}" for name in ("mkdir", "rename", "link", "remove", "rmdir", "symlink", "chmod", "chown", "utime")
)


class Operations:
    """Counts what changes the store, by Python's audit events; dies just before the one at ``point``."""

    def __init__(self, point: int) -> None:
        self.point = point
        self.count = 0

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING):
            self.count += 1
            if self.count == self.point:
                os.kill(os.getpid(), signal.SIGKILL)


def die_at_byte(point: int) -> None:
    """When any file is to become longer than so many bytes: what fits is written, then SIGXFSZ ends the process."""
    # A program that takes core dumps takes them whatever RLIMIT_CORE says.
    prctl(PR_SET_DUMPABLE, 0)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (point, point))


def let_unpackers_die(home: Home, point: int) -> None:
    program = f"{home.data}/../python"
    with open(program, "w") as file:
        file.write(f'#!/bin/sh\nshift 3\nexec {sys.executable} -m {__package__}.dying {point} "$@"\n')
    os.chmod(program, 0o755)
    sys.executable = program


def pull(home: Home, kind: str, point: int, reference: str, processes: bool, writer: int) -> None:
    if processes:
        layers.WORTHWHILE = 0
        os.sched_getaffinity = lambda _: {0, 1}
    if kind == "unpacker":
        let_unpackers_die(home, point)
    operations = Operations(point if kind == "operation" else 0)
    if kind == "byte":
        die_at_byte(point)
    sys.addaudithook(operations)
    ImageStore(home, Access({}, Patience())).pull(ImageSpec(reference))
    os.write(writer, str(operations.count).encode())


def main() -> None:
    home = Home(*sys.argv[1:])
    # So that what is imported when it is needed is there before the first fork.
    with contextlib.suppress(DriverError):
        ImageStore(home, Access({}, Patience(attempts=1))).pull(ImageSpec("127.0.0.1:1/nothing:1"))
    for line in sys.stdin:
        request = json.loads(line)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                pull(home, **request, writer=writer)
            except TemporaryError:
                if request["kind"] != "unpacker":
                    traceback.print_exc()
                os._exit(UNPACKER_DIED)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        os.close(writer)
        with open(reader) as file:
            count = int(file.read() or 0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps({"code": code, "operations": count}), flush=True)


if __name__ == "__main__":
    main()
