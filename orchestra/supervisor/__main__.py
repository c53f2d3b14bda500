"""``python -m orchestra.supervisor STACK DRIVER``, started by the fork server of the stack.

It inherits two descriptors (``orchestra.shim.supervision.spawn``). Exit code 0 says that the stack is over.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from functools import partial
from importlib import import_module

import anyio

from orchestra.driver import DRIVERS
from orchestra.home import find_home
from orchestra.shim.launch import launch
from orchestra.shim.supervision import CONTROL_FD, PARENT_FD
from orchestra.supervisor.client import supervisor_argv
from orchestra.supervisor.host import Host


def main(stack: str, driver_name: str) -> None:
    control, parent = int(os.environ.pop(CONTROL_FD)), int(os.environ.pop(PARENT_FD))
    for descriptor in (control, parent):
        os.set_inheritable(descriptor, False)
    home = find_home(os.environ, os.getuid())
    stack_home = home.stack(stack)
    os.makedirs(stack_home.run, mode=0o700, exist_ok=True)
    lock = os.open(stack_home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # An earlier supervisor may be about to end: two at work on one stack would undo each other's work.
    fcntl.flock(lock, fcntl.LOCK_EX)
    driver = import_module(DRIVERS[driver_name]).open_driver(home, stack)
    heal = partial(launch, stack_home, supervisor_argv(stack, driver_name))
    anyio.run(Host(stack_home, driver).run, socket.socket(fileno=control), parent, heal)


if __name__ == "__main__":
    main(*sys.argv[1:])
