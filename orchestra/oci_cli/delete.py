"""``delete`` and ``kill``."""

from __future__ import annotations

import contextlib
import os
import signal
from errno import EBUSY, EINVAL, ESRCH

from orchestra.command_line.read import Misused
from orchestra.container import hooks
from orchestra.container.configuration import read_configuration
from orchestra.linux import process
from orchestra.linux.cgroup import freezer
from orchestra.linux.readiness import readable
from orchestra.linux.syscall import SystemCallError
from orchestra.oci_cli import fault
from orchestra.oci_cli.container import RECORD, Container, Found, describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.oci_cli.arguments import Options
    from orchestra.oci_cli.context import Context

END_SECONDS = 10.0


def kill_command(context: Context, options: Options, words: list[str]) -> int:
    word = words[1] if len(words) > 1 else "TERM"
    try:
        number = 0 if word == "0" else process.parse_signal(word)
    except ValueError as error:
        raise Misused(str(error)) from None
    container = context.container(words[0])
    found = container.find()
    if options.flag("all"):
        # Also processes that outlived the first one, if there is no PID namespace; none at all is not an error.
        for pid in container.processes(found):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return 0
    if found.status not in ("created", "running", "paused"):
        raise SystemCallError(ESRCH, "kill", words[0], f"container not running: it is {found.status}")
    process.send_signal(container.process_of(found.record), number)
    return 0


def delete_command(context: Context, options: Options, words: list[str]) -> int:
    container = context.container(words[0])
    force = options.flag("force")
    if force:
        if not os.path.isdir(container.directory.path):
            return 0
        _end_creator(container)
    elif not container.directory.has(RECORD):
        container.load()
    if not container.lock():
        return 0
    delete(context, container, force=force)
    return 0


def _end_creator(container: Container) -> None:
    """Kill a process that is creating it: it may be waiting for a hook for ever."""
    record = container.directory.load_if_there(RECORD)
    if record is not None and container.find().status == "creating":
        creator = record["creator"]
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(process.Process(creator["pid"], creator["start_time"]), signal.SIGKILL)


def delete(context: Context, container: Container, *, force: bool) -> None:
    """Also removes what a killed creation or removal has left: the record is there as long as anything else is."""
    if not container.directory.has(RECORD):
        container.remove()
        return
    found = container.find()
    if not force and found.status != "stopped":
        raise SystemCallError(
            EINVAL, "delete", container.name, f"it is {found.status}, not stopped: kill it first, or use --force"
        )
    end(context, container, found.record)
    config = read_configuration(container.directory.load_if_there("config.json") or {})
    if hooks.wanted(config, "poststop"):
        state = describe(Found(found.record, "stopped", 0), container.name)
        hooks.run_all(config, "poststop", state, context.report.warning)
    fault.reach("stopped")
    container.remove()


def end(context: Context, container: Container, record: dict[str, Any]) -> None:
    """Kill its remaining processes, wait for their end, and remove its group."""
    group = container.group_of(record)
    if record["pid"]:
        _kill(container, record)
    fault.reach("killed")
    if freezer.is_frozen(group):
        # In version 1 a frozen process does not even die.
        for pid in group.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        freezer.thaw(group)
    group.kill()
    group.remove()
    container.remove_resctrl(record)
    container.unmount(record)
    fault.reach("ungrouped")


def _kill(container: Container, record: dict[str, Any]) -> None:
    target = container.process_of(record)
    try:
        pidfd = process.open_pidfd(target)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        group = container.group_of(record)
        if freezer.is_frozen(group):
            freezer.thaw(group)
        if not readable(pidfd, END_SECONDS):
            raise SystemCallError(EBUSY, "kill", container.name, f"pid {target.pid} does not end")
    except ProcessLookupError:
        return
    finally:
        os.close(pidfd)
