"""From the descriptors that a supervisor inherits to a host that runs its stack."""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import socket
from functools import partial

import anyio

from orchestra.control.client import supervisor_argv
from orchestra.control.host import ForkServer, Host
from orchestra.driver import open_driver
from orchestra.home import find_home, is_rootless
from orchestra.linux import private_files, process
from orchestra.shim.launch import fork_server_of, launch
from orchestra.shim.supervision import CONTROL_FD, NAME, PARENT_FD


def live(stack: str, driver_name: str) -> None:
    """Return when the stack is down. The descriptors are those of ``orchestra.shim.supervision.fork``."""
    control, parent = int(os.environ.pop(CONTROL_FD)), int(os.environ.pop(PARENT_FD))
    for descriptor in (control, parent):
        os.set_inheritable(descriptor, False)  # one that was executed has got them as they had to be for that
    process.set_name(NAME)
    process.share_one_heap()
    home = find_home(os.environ, os.getuid())
    stack_home = home.stack(stack)
    for root in (home.data, home.run):
        private_files.close_to_others(root)
    private_files.make_directories(stack_home.run)
    if is_rootless(os.environ):
        from orchestra.rootless.entry import revive
        from orchestra.rootless.host_network import leave
        from orchestra.rootless.places import Places

        os.close(revive(home))  # all that the home has in the run directory may have been removed
        leave(Places(home).network)
    fork_server = os.pidfd_open(os.getppid())
    heal = partial(launch, stack_home, supervisor_argv(stack, driver_name))
    if fork_server_of(stack_home) != os.getppid():
        # Its sockets have been removed. Before the lock: the supervisor of another pair may have that.
        heal()
        signal.pidfd_send_signal(fork_server, signal.SIGKILL)
        return
    lock = os.open(stack_home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # An earlier supervisor may be about to exit: two on one stack would undo each other's work.
    fcntl.flock(lock, fcntl.LOCK_EX)
    driver = open_driver(driver_name, home, stack)
    gc.freeze()
    gc.enable()
    host = Host(stack_home, driver, driver_name=driver_name)
    anyio.run(host.run, socket.socket(fileno=control), ForkServer(parent, fork_server, heal))
