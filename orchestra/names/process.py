"""The resolver's process, forked by the fork server: what it is before it serves, and what it gives up."""

from __future__ import annotations

import gc
import os
import socket

from orchestra.container import open_files, wire
from orchestra.linux import private_files, process, unix_socket
from orchestra.linux.resolv_conf import PATH
from orchestra.linux.security import capabilities, landlock
from orchestra.names.files import Files
from orchestra.names.forwarder import PORT
from orchestra.names.resolver import Resolver

KEPT = ("CAP_DAC_READ_SEARCH",)
"""To read files of the home where root may not: below another user's directory."""


def serve(order: wire.Message, requester: socket.socket, upstream_port: int = PORT) -> None:
    """Answer the requester when the resolver listens, then serve until it is not needed any more.

    order: ``socket``, where to listen; ``names``, the folder of published names; ``home``, the run directory of the
    home, the only one that is read beside those of resolv.conf.
    """
    os.setsid()
    process.set_name("orchestra-names")
    open_files.allow_many()
    try:
        private_files.make_directories(order["names"])
        files = Files(order["names"])
        listener = unix_socket.listen(order["socket"], kind=socket.SOCK_SEQPACKET)
        confine(order["home"])
        resolver = Resolver(listener, order["socket"], files, upstream_port)
    except OSError as error:
        wire.send(requester, {"error": wire.describe_error(error)})
        return
    wire.send(requester, {})
    requester.close()
    # The fork server never collects garbage: what it has made is frozen.
    gc.enable()
    resolver.run()


def confine(home: str) -> None:
    """Give up every privilege but that of reading the files that answers are made from. Raises OSError."""
    process.prctl(process.PR_SET_NO_NEW_PRIVS, 1)
    held = capabilities.held()
    sets = {"effective": KEPT, "permitted": KEPT}
    capabilities.apply(capabilities.Sets(sets), held)
    landlock.read_only(dict.fromkeys((home, os.path.dirname(PATH), os.path.dirname(os.path.realpath(PATH)))))
