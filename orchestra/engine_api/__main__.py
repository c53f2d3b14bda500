"""The process that answers at an API socket of STACK with ACCESS: the listening socket is the descriptor FD.

Ends when it has been idle for a while, or when its standard input ends.
"""

from __future__ import annotations

import os
import socket
import sys

from orchestra.engine_api.serve import serve_world
from orchestra.engine_api.server import Server
from orchestra.engine_api.world import World
from orchestra.home import find_home
from orchestra.linux import process
from orchestra.model.mount import ApiAccess
from orchestra.model.project import Project
from orchestra.stacks.context import Context

IDLE = 60.0
"""Seconds."""

if __name__ == "__main__":
    process.set_name("orchestra-api")
    stack, access, fd = sys.argv[1:]
    os.set_inheritable(int(fd), False)
    context = Context(find_home(os.environ, os.getuid()), "local", Project(), os.environ)
    stacks = () if access == ApiAccess.ALL else (stack,)
    world = World(context, read_only=access == ApiAccess.READ_ONLY, stacks=stacks)
    serve_world(world, Server(world, [socket.socket(fileno=int(fd))], IDLE), sys.stdin.fileno())
