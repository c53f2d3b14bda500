"""What the steps of a scenario do to a stack."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from orchestra.errors import OrchestraError, UserError
from orchestra.testing.checks import NotSo
from orchestra.testing.scenario import ALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.api.stack import RunningStack
    from orchestra.stacks.containers import ContainerRow
    from orchestra.testing.scenario import Cut, Fill, Kill, Step, Up

LARGEST = 1 << 30
"""Bytes of the largest file system that is filled: one without a limit is the machine's own."""


def act(stack: RunningStack, step: Step, timeout: float) -> None:
    """timeout: how many seconds what is started has to be up. Raises what the methods of ``RunningStack`` raise."""
    of_names = (
        *((step.stop, stack.stop), (step.crash, stack.crash)),
        *((step.pause, stack.pause), (step.unpause, stack.unpause)),
    )
    for names, method in of_names:
        if names is not None:
            method(*_services(names))
    if step.up is not None:
        _up(stack, step.up, timeout)
    if step.start is not None:
        stack.start(*_services(step.start), timeout=timeout)
    if step.restart is not None:
        stack.restart(*_services(step.restart))
    for service, count in (step.scale or {}).items():
        stack.scale(service, count, timeout=timeout)
    if step.kill is not None:
        _kill(stack, step.kill)
    if step.cut is not None:
        _cut(stack, step.cut)
    if step.heal is not None:
        _heal(stack, step.heal)
    if step.fill is not None:
        _fill(stack, step.fill)


def _up(stack: RunningStack, up: Up, timeout: float) -> None:
    """Raises NotSo if it was expected to fail, and does not, or in another way."""
    try:
        stack.up(*_services(up.services), timeout=timeout)
    except OrchestraError as error:
        check_failure(up, error)
    else:
        check_failure(up, None)


def check_failure(up: Up, error: OrchestraError | None) -> None:
    """Raises the error if none was expected, and NotSo if it is not the one that was."""
    if up.fails is None:
        if error is not None:
            raise error
    elif error is None:
        raise NotSo("up has not failed")
    elif not re.search(up.fails, str(error)):
        raise NotSo(f"up has failed otherwise: {error}") from error


def _services(names: Sequence[str]) -> Sequence[str]:
    return () if ALL in names else names


def _running(stack: RunningStack, service: str) -> list[ContainerRow]:
    """Raises UserError if there is none."""
    rows = [row for row in stack.containers(service) if row.runs]
    if not rows:
        raise UserError(f'service "{service}" is not running')
    return rows


def _kill(stack: RunningStack, kill: Kill) -> None:
    from signal import SIGKILL

    from orchestra.container.directory import ContainerDirectory
    from orchestra.linux.process import send_signal

    if kill.part is None:
        stack.kill(kill.service, signal=kill.signal)
        return
    home = stack._context.home.stack(stack.name)
    if kill.part == "shim":
        rows = _running(stack, kill.service)
        found = {ContainerDirectory(home.container(row.name)).load_process("shim.pid") for row in rows}
        processes = [process for process in found if process is not None]
    else:
        of_stack = stack._context.client(stack.name).find_processes()
        if of_stack is None:
            raise UserError(f"stack {stack.name} has no {kill.part} now")
        processes = [of_stack.supervisor if kill.part == "supervisor" else of_stack.fork_server]
    for process in processes:
        send_signal(process, SIGKILL)


def _network(stack: RunningStack, key: str) -> str:
    """The name of a network of the file, which is its own, or begins with that of the stack. Raises UserError."""
    from orchestra.stacks.host_networks import find_network

    try:
        return find_network(stack._context, f"{stack.name}_{key}").name
    except UserError:
        return find_network(stack._context, key).name


def _cut(stack: RunningStack, cut: Cut) -> None:
    from orchestra.stacks.connections import disconnect

    network = _network(stack, cut.network)
    for row in _running(stack, cut.service):
        disconnect(stack._context, network, row.name)


def _heal(stack: RunningStack, cut: Cut) -> None:
    from orchestra.stacks.connections import ConnectOptions, connect

    network = _network(stack, cut.network)
    for row in _running(stack, cut.service):
        if network not in row.networks:
            connect(stack._context, ConnectOptions(network, row.name, aliases=(cut.service,)))


def _fill(stack: RunningStack, fill: Fill) -> None:
    for row in _running(stack, fill.service):
        try:
            room = os.statvfs(f"/proc/{row.pid}/root{fill.path}")
        except OSError as error:
            raise UserError(f"{fill.path} of {row.name} cannot be filled: {error.strerror}") from error
        if room.f_blocks * room.f_frsize > LARGEST:
            raise UserError(
                f"{fill.path} of {row.name} is on a file system of more than 1 GiB",
                hint="mount a tmpfs or a volume with a size there",
            )
        command = ["dd", "if=/dev/zero", f"of={fill.path}/filled", "bs=64k"]
        stack.exec(fill.service, command, index=row.index)  # ends with an error when nothing is left
        room = os.statvfs(f"/proc/{row.pid}/root{fill.path}")
        if room.f_bavail * room.f_frsize >= 1 << 16:
            raise UserError(f"{fill.path} of {row.name} is not full after dd", hint="the image needs the program dd")
