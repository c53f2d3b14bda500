"""``enable`` and ``disable``: have systemd bring a stack back at boot, or not any more."""

from __future__ import annotations

import json
import os
import shlex
import sys

from orchestra.errors import EnvironmentLack, FatalError, UserError
from orchestra.linux.syscall import SystemCallError
from orchestra.linux.systemd import manager
from orchestra.linux.systemd.dbus import BusError
from orchestra.record import Record
from orchestra.stacks.boot.unit import (
    HOME,
    UNITS,
    Unit,
    directories_of,
    is_for,
    load,
    recovery,
    render,
    unit_name,
    unit_path,
)
from orchestra.stacks.containers import find_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.stacks.context import Context


class Enabled(Record):
    """unit: its name. path: its file. wanted: the stack is not down."""

    stack: str
    unit: str
    path: str
    wanted: bool


def check_enable(context: Context, units: str = UNITS) -> Unit:
    """The unit that ``enable`` would write.

    Raises EnvironmentLack without root or systemd, the errors of a load, and UserError if the name is taken.
    """
    context.need_root()
    unit = describe_unit(context, find_stack(context).stack)
    if not manager.is_booted():
        assignments = [f"{name}={value}" for name, value in unit.environment.items()]
        line = shlex.join(["env", *assignments, *recovery(unit)] if assignments else recovery(unit))
        raise EnvironmentLack(
            "systemd is not the first process here, so there is no unit to enable",
            hint=f"have this machine's own init run as root at boot, once the network is up: {line}",
        )
    if set(unit.program[0]) & set("\"'\\"):
        hint = "move it to a path without quotes and backslashes"
        raise UserError(f"systemd does not run a program of this name: {unit.program[0]}", hint=hint)
    path, before = unit_path(unit.stack, units), load(unit.stack, units)
    if not before and os.path.lexists(path):
        raise UserError(f"{path} exists, and orchestra enable did not make it", hint="move it away")
    if before and not is_for(before, context.environment.get(HOME)):
        raise UserError(f"{path} is for a stack of another home", hint="run orchestra disable with its ORCHESTRA_HOME")
    return unit


def enable(context: Context, *, now: bool = False, units: str = UNITS) -> Enabled:
    """Write the unit and enable it. now: start it as well; it takes over a stack that is up.

    Raises what ``check_enable`` raises, and FatalError if systemd refuses.
    """
    unit = check_enable(context, units)
    path, text = unit_path(unit.stack, units), render(unit)
    if load(unit.stack, units) != text:
        _write(path, text)
    _manage(("EnableUnitFiles", "asbb", [unit_name(unit.stack)], False, True), ("Reload", ""))
    if now:
        _run("StartUnit", unit.stack)
    wanted = wanted_files(context, unit.stack) is not None
    return Enabled(unit.stack, unit_name(unit.stack), path, wanted)


def find_enabled(context: Context, units: str = UNITS) -> str | None:
    """The stack, if it has a unit of this home. Raises EnvironmentLack without root, and the errors of a load."""
    context.need_root()
    stack = find_stack(context).stack
    return stack if is_for(load(stack, units), context.environment.get(HOME)) else None


def disable(context: Context, units: str = UNITS) -> str | None:
    """Remove the unit; the stack stays as it is. Returns the name of the stack, None if it was not enabled.

    Raises EnvironmentLack without root or systemd, and the errors of a load.
    """
    stack = find_enabled(context, units)
    if stack is None:
        return None
    if manager.is_booted():
        _run("StopUnit", stack)
        _manage(("DisableUnitFiles", "asb", [unit_name(stack)], False))
    os.unlink(unit_path(stack, units))
    if manager.is_booted():
        _manage(("Reload", ""))
    return stack


def describe_unit(context: Context, stack: str) -> Unit:
    """The unit that the stack would have."""
    home = context.environment.get(HOME)
    files = wanted_files(context, stack) or ()
    local = [path for path in files if os.path.isabs(path)]
    return Unit(
        stack,
        tuple(_program()),
        environment={HOME: os.path.abspath(home)} if home else {},
        directories=directories_of([context.home.data, *map(os.path.dirname, local)]),
        files=tuple(local),
    )


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


def _write(path: str, text: str) -> None:
    temporary = f"{path}.new"  # systemd reads only names that end like a unit's
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _manage(*calls: tuple[Any, ...]) -> None:
    try:
        with manager.connect() as bus:
            for member, signature, *values in calls:
                manager.call(bus, member, signature, *values)
    except (BusError, SystemCallError, ConnectionResetError, TimeoutError) as error:
        raise _refused(error) from error


def _run(member: str, stack: str) -> None:
    """Start or stop the unit, and wait until it has. Raises FatalError."""
    unit = unit_name(stack)
    try:
        with manager.connect() as bus:
            result = manager.wait_for_job(bus, manager.call(bus, member, "ss", unit, "replace")[0])
    except TimeoutError:
        return  # it goes on in the background
    except (BusError, SystemCallError, ConnectionResetError) as error:
        raise _refused(error) from error
    if result != "done":
        raise FatalError(f"{unit}: systemd says: {result}", hint=f"systemctl status {unit} shows why")


def _refused(error: Exception) -> FatalError:
    return FatalError(f"systemd did not do it: {error}", hint="run the command again; systemctl status shows its state")
