"""``start``: let a created container run its program."""

from __future__ import annotations

import os
import socket
from errno import ECANCELED, ECONNREFUSED, EINVAL, ENOENT

from orchestra.container import hooks, init
from orchestra.container.configuration import read_configuration
from orchestra.container.starting import StartingProcess
from orchestra.linux import process, unix_socket
from orchestra.linux.syscall import SystemCallError
from orchestra.oci_cli import fault
from orchestra.oci_cli.container import GATE, NOTIFY, describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.container.configuration import Configuration
    from orchestra.oci_cli.arguments import Options
    from orchestra.oci_cli.container import Container
    from orchestra.oci_cli.context import Context


def start_command(context: Context, _options: Options, words: list[str]) -> int:
    container = context.container(words[0])
    container.load()
    container.lock_existing()
    found = container.find_running("created")
    config = read_configuration(container.directory.load("config.json"))

    def describe_it(status: str) -> dict[str, Any]:
        return describe(found._replace(status=status), container.name)

    readiness = None
    if "NOTIFY_SOCKET" in os.environ and container.directory.has(NOTIFY):
        from orchestra.oci_cli.readiness import Readiness

        readiness, pidfd = Readiness(container.directory), process.open_pidfd(container.process_of(found.record))
    try:
        with unix_socket.connect(container.gate, socket.SOCK_SEQPACKET) as connection:
            _start(StartingProcess(config, connection, describe_it, context.report.warning))
    except OSError as error:
        if error.errno in (ENOENT, ECONNREFUSED) and error.filename == container.gate:
            raise SystemCallError(EINVAL, "start", words[0], f"it is {found.status}, not created") from None
        raise
    fault.reach("started")
    container.directory.remove(GATE)
    tell_started(context, container, config)
    if readiness is not None:
        container.unlock()
        readiness.pass_on(pidfd, context.report.warning)
    return 0


def _start(first: StartingProcess) -> None:
    """Returns once the program runs: executing it closes the connection."""
    first.channel.send(init.START)
    fault.reach("told")
    while first.hear():
        continue
    if not first.executing:
        raise SystemCallError(ECANCELED, "start", "", "its first process was killed before it ran the program")


def tell_started(context: Context, container: Container, config: Configuration) -> None:
    """Tell poststart hooks that the program runs. If one fails, the container is stopped."""
    if not hooks.wanted(config, "poststart"):
        return
    found = container.find()
    try:
        hooks.run_started(config, describe(found, container.name), context.report.warning)
    except OSError:
        from orchestra.oci_cli.delete import end

        end(context, container, found.record)
        raise
