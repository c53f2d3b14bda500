"""Finding the processes of a home by what /proc shows, when the files that lead to them are gone."""

from __future__ import annotations

import contextlib
import json
import os

from orchestra.linux import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def started_for(directory: str) -> Iterator[process.Process]:
    """Fork servers, and what they have forked, of the home with this ``Home.rootless``: their command line names it."""
    for found in _of_this_root():
        with contextlib.suppress(OSError, ValueError), open(f"/proc/{found.pid}/cmdline", "rb") as file:
            order = json.loads(file.read().rstrip(b"\0 ").rpartition(b"\0")[2])
            if isinstance(order, dict) and order.get("rootless") == directory:
                yield found


def apart_from_host() -> Iterator[process.Process]:
    """Those of our own that are in the user namespace of this process, but in another network: that of the home."""
    own = [os.stat(f"/proc/self/ns/{kind}") for kind in ("user", "net")]
    for found in _of_this_root():
        with contextlib.suppress(OSError):
            users, network = (os.stat(f"/proc/{found.pid}/ns/{kind}") for kind in ("user", "net"))
            if os.path.samestat(users, own[0]) and not os.path.samestat(network, own[1]):
                yield found


def _of_this_root() -> Iterator[process.Process]:
    """Not those of containers, which may give themselves any name and command line."""
    here = os.stat("/")
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if int(pid) != os.getpid() and os.path.samestat(os.stat(f"/proc/{pid}/root"), here):
                yield process.identify(int(pid))
