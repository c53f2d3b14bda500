"""A socket for programs of this machine, also from a process that works in the network of its home."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from orchestra.errors import EnvironmentLack
from orchestra.stacks.sockets import listen_on

AWAY = """
import ctypes, os, sys
from orchestra.linux.namespaces import CLONE_NEWNET
from orchestra.rootless.host_network import leave
from orchestra.stacks.sockets import listen_on
before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
libc = ctypes.CDLL(None, use_errno=True)
libc.unshare(CLONE_NEWNET)
own = "/proc/self/fd/" + str(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
libc.setns(before, CLONE_NEWNET)
leave(own)
with listen_on("127.0.0.1", 0) as listener:
    print(listener.getsockname()[1], flush=True)
    listener.accept()[0].sendall(b"here")
"""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root")
def test_it_is_reached_from_the_hosts_network():
    with subprocess.Popen([sys.executable, "-c", AWAY], stdout=subprocess.PIPE) as process:
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            assert client.recv(4) == b"here"


def test_a_place_that_is_taken_is_an_error_with_words():
    with (
        listen_on("127.0.0.1", 0) as first,
        pytest.raises(EnvironmentLack, match=f"127.0.0.1, port {first.getsockname()[1]}"),
    ):
        listen_on("127.0.0.1", first.getsockname()[1])
