"""``orchestra metrics``: print metrics once, or serve them for Prometheus."""

from __future__ import annotations

import os
import sys

from orchestra.errors import UserError
from orchestra.linux.systemd.notify import notify
from orchestra.metrics.exposition import Format
from orchestra.metrics.serve import Metrics, Server
from orchestra.stacks.measure import Measuring, choose_stacks
from orchestra.stacks.sockets import bracketed, handed_over, listen_at, listen_on, split_address, told_to_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation

UNIX = "unix:"
FORMATS = {"prometheus": Format.PROMETHEUS, "openmetrics": Format.OPENMETRICS}


def run(invocation: Invocation) -> int:
    context, values = invocation.context, invocation.values
    address, handed = values["listen"], handed_over()
    metrics = Metrics(Measuring(context, choose_stacks(context, values["stacks"])))
    if handed:
        _serve(metrics, handed, "the sockets of the service manager")
    elif address is None:
        sys.stdout.buffer.write(metrics.text(FORMATS[values["format"]]))
        sys.stdout.buffer.flush()
    elif address.startswith(UNIX):
        path = address.removeprefix(UNIX)
        listener = listen_at(path, "--listen")
        try:
            _serve(metrics, [listener], path)
        finally:
            os.unlink(path)
    else:
        host, port = read_address(address)
        listener = listen_on(host, port)
        _serve(metrics, [listener], f"http://{bracketed(host)}:{listener.getsockname()[1]}/metrics")
    return 0


def _serve(metrics: Metrics, listeners: Sequence[socket.socket], address: str) -> None:
    stop = told_to_end()
    print(f"listening on {address}", file=sys.stderr, flush=True)
    notify("READY=1")
    Server(metrics, listeners).serve(stop)


def read_address(text: str) -> tuple[str, int]:
    """Of ``ADDRESS:PORT``; an address of version 6 stands in brackets. Raises UserError."""
    try:
        host, port = split_address(text)
    except ValueError:
        host, port = "", 0
    if not host:
        raise UserError(f"--listen {text}: expected ADDRESS:PORT or unix:PATH", hint="such as 127.0.0.1:9323")
    return host, port
