"""``enable`` and ``disable``: have systemd bring a stack back at boot, or not any more."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
from errno import ENOENT

from orchestra.errors import EnvironmentLack, FatalError, UserError
from orchestra.linux.syscall import SystemCallError
from orchestra.linux.systemd import manager
from orchestra.linux.systemd.dbus import BusError
from orchestra.linux.systemd.lingering import lingers
from orchestra.record import Record
from orchestra.rootless.scope import scope_of
from orchestra.stacks.boot.unit import (
    HOME,
    Unit,
    Units,
    directories_of,
    is_for,
    load,
    recovery,
    render,
    unit_name,
)
from orchestra.stacks.containers import find_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.stacks.context import Context


DIRECTORIES = ("XDG_DATA_HOME", "XDG_RUNTIME_DIR")
"""What decides beside ORCHESTRA_HOME where the home of a user is."""


class Enabled(Record):
    """unit: its name. path: its file. wanted: the stack is not down. lingers: it comes back at boot, and not only with
    the first session of the user.
    """

    stack: str
    unit: str
    path: str
    wanted: bool
    lingers: bool = True


def check_enable(context: Context, units: Units) -> Unit:
    """The unit that ``enable`` would write.

    Raises EnvironmentLack without systemd, the errors of a load, and UserError if the name is taken.
    """
    unit = describe_unit(context, find_stack(context).stack, units)
    if (lack := _lack(units)) is not None:
        assignments = [f"{name}={value}" for name, value in unit.environment.items()]
        line = shlex.join(["env", *assignments, *recovery(unit)] if assignments else recovery(unit))
        who = "this user" if units.user else "root"
        raise EnvironmentLack(
            f"{lack}, so there is no unit to enable",
            hint=f"have this machine's own init run as {who} at boot, once the network is up: {line}",
        )
    if set(unit.program[0]) & set("\"'\\"):
        hint = "move it to a path without quotes and backslashes"
        raise UserError(f"systemd does not run a program of this name: {unit.program[0]}", hint=hint)
    path, before = units.path(unit.stack), load(unit.stack, units)
    if not before and os.path.lexists(path):
        raise UserError(f"{path} exists, and orchestra enable did not make it", hint="move it away")
    if before and not is_for(before, units.home):
        raise UserError(f"{path} is for a stack of another home", hint="run orchestra disable with its ORCHESTRA_HOME")
    return unit


def _lack(units: Units) -> str | None:
    if not units.user:
        return None if manager.is_booted() else "systemd is not the first process here"
    try:
        manager.connect(units.user).close()
    except OSError as error:
        if error.errno == ENOENT:
            return f"user {units.user} has no systemd of their own here"
        return f"the systemd of user {units.user} does not answer: {error}"
    return None


def choose_units(context: Context, *, of_user: bool = False) -> Units:
    """The units of the caller. of_user: those of the user's own systemd are asked for, as are all but root's anyway.

    Raises UserError for root.
    """
    if of_user and not context.units.user:
        raise UserError("--user: root's stacks come back with the machine's systemd", hint="leave --user out")
    return context.units


def enable(context: Context, units: Units, *, now: bool = False) -> Enabled:
    """Write the unit and enable it. now: start it as well; it takes over a stack that is up.

    Raises what ``check_enable`` raises, and FatalError if systemd refuses.
    """
    unit = check_enable(context, units)
    path, text = units.path(unit.stack), render(unit, units.target)
    if load(unit.stack, units) != text:
        os.makedirs(units.directory, exist_ok=True)
        _write(path, text)
    _manage(units, ("EnableUnitFiles", "asbb", [unit_name(unit.stack)], False, True), ("Reload", ""))
    if now:
        _run(units, "StartUnit", unit.stack)
    wanted = wanted_files(context, unit.stack) is not None
    return Enabled(unit.stack, unit_name(unit.stack), path, wanted, not units.user or lingers(units.user))


def find_enabled(context: Context, units: Units) -> str | None:
    """The stack, if it has a unit of this home. Raises the errors of a load."""
    stack = find_stack(context).stack
    return stack if is_for(load(stack, units), units.home) else None


def disable(context: Context, units: Units) -> str | None:
    """Remove the unit; the stack stays as it is. Returns the name of the stack, None if it was not enabled.

    Raises FatalError if systemd refuses, and the errors of a load.
    """
    stack = find_stack(context).stack
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_begun(units.path(stack)))
    if not is_for(load(stack, units), units.home):
        return None
    there = _lack(units) is None
    if there:
        _run(units, "StopUnit", stack)
        _manage(units, ("DisableUnitFiles", "asb", [unit_name(stack)], False))
    os.unlink(units.path(stack))
    if there:
        _manage(units, ("Reload", ""))
    return stack


def describe_unit(context: Context, stack: str, units: Units) -> Unit:
    """The unit that the stack would have."""
    kept = {HOME: os.path.abspath(units.home)} if units.home else {}
    files = wanted_files(context, stack) or ()
    local = tuple(path for path in files if os.path.isabs(path))
    if units.user:
        # A user's systemd begins after what the machine's units wait for. The scope ends the containers.
        kept |= {name: context.environment[name] for name in DIRECTORIES if context.environment.get(name)}
        after = (scope_of(context.home.rootless),)
        return Unit(stack, tuple(_program()), environment=kept, files=local, after=after)
    directories = directories_of([context.home.data, *map(os.path.dirname, local)])
    return Unit(stack, tuple(_program()), environment=kept, directories=directories, files=local)


def wanted_files(context: Context, stack: str) -> tuple[str, ...] | None:
    """The Compose files of a stack that comes back at boot; None if it is down."""
    try:
        with open(context.home.stack(stack).desired, "rb") as file:
            desired: dict[str, Any] = json.loads(file.read())
        is_up = desired.get("containers") or desired.get("networks")
        return tuple(map(str, desired.get("config_files", ()))) if is_up else None
    except (FileNotFoundError, ValueError, AttributeError, TypeError):
        return None


def _program() -> list[str]:
    """The command that runs now, by a path that a unit can use."""
    program = os.path.abspath(sys.argv[0])
    return [sys.executable, "-m", "orchestra"] if program.endswith("/__main__.py") else [program]


def _begun(path: str) -> str:
    """Where the file is while it is written: systemd reads only names that end like a unit's."""
    return f"{path}.new"


def _write(path: str, text: str) -> None:
    temporary = _begun(path)
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _manage(units: Units, *calls: tuple[Any, ...]) -> None:
    try:
        with manager.connect(units.user) as bus:
            for member, signature, *values in calls:
                manager.call(bus, member, signature, *values)
    except (BusError, SystemCallError, ConnectionResetError, TimeoutError) as error:
        raise _refused(error) from error


def _run(units: Units, member: str, stack: str) -> None:
    """Start or stop the unit, and wait until it has. Raises FatalError."""
    unit = unit_name(stack)
    try:
        with manager.connect(units.user) as bus:
            result = manager.wait_for_job(bus, manager.call(bus, member, "ss", unit, "replace")[0])
    except TimeoutError:
        return  # it goes on in the background
    except (BusError, SystemCallError, ConnectionResetError) as error:
        raise _refused(error) from error
    if result != "done":
        raise FatalError(f"{unit}: systemd says: {result}", hint=f"{systemctl(units)} status {unit} shows why")


def systemctl(units: Units) -> str:
    return "systemctl --user" if units.user else "systemctl"


def _refused(error: Exception) -> FatalError:
    return FatalError(f"systemd did not do it: {error}", hint="run the command again; systemctl status shows its state")
