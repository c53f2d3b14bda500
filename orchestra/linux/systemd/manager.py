"""Calling systemd's manager over D-Bus: org.freedesktop.systemd1(5)."""

from __future__ import annotations

import os
from errno import ENOENT
from typing import Any

from orchestra.linux.syscall import SystemCallError
from orchestra.linux.systemd.dbus import MEMBER, SYSTEM_BUS, Connection

SERVICE, OBJECT, MANAGER = "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
PRIVATE = "/run/systemd/private"  # for root, where there is no bus
MATCH = f"type='signal',interface='{MANAGER}',member='JobRemoved'"
BOOTED = "/run/systemd/system"
"""Exists if systemd is the first process: sd_booted(3)."""


def is_booted() -> bool:
    return os.path.isdir(BOOTED)


def connect(user: int = 0) -> Connection:
    """user: whose systemd, 0 for the machine's. Raises SystemCallError where none runs."""
    bus = _connect_to_machine() if user == 0 else _connect_to_user(user)
    call(bus, "Subscribe")
    return bus


def _connect_to_machine() -> Connection:
    try:
        bus = Connection(SYSTEM_BUS)
        bus.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", MATCH)
        return bus
    except (FileNotFoundError, ConnectionRefusedError):
        try:
            return Connection(PRIVATE, is_bus=False)
        except (FileNotFoundError, ConnectionRefusedError):
            hint = "no systemd runs here: let the caller use cgroupfs"
            raise SystemCallError(ENOENT, "connect", SYSTEM_BUS, hint) from None


def _connect_to_user(user: int) -> Connection:
    """At the socket that systemctl(1) uses, which needs no bus. user: as known outside user namespaces."""
    path = f"{os.environ.get('XDG_RUNTIME_DIR') or f'/run/user/{user}'}/systemd/private"
    try:
        return Connection(path, is_bus=False)
    except (FileNotFoundError, ConnectionRefusedError):
        hint = "this user has no systemd of their own: see user@.service(5)"
        raise SystemCallError(ENOENT, "connect", path, hint) from None


def call(bus: Connection, member: str, signature: str = "", *values: Any) -> tuple[Any, ...]:
    return bus.call(SERVICE, OBJECT, MANAGER, member, signature, *values)


def wait_for_job(bus: Connection, job: str) -> str:
    """How the job ended: ``done`` if well."""
    while True:
        message = bus.next_signal()
        if message.fields.get(MEMBER) == "JobRemoved" and message.body[1] == job:
            return str(message.body[3])


def is_going_down(user: int = 0) -> bool:
    """Whether the machine is being shut down or restarted; false where systemd does not say so.

    user: the same of this user's systemd, which ends with the machine or the user's last session.

    By systemctl(1), which reaches systemd when the bus has been stopped already.
    """
    import subprocess

    try:
        command = ["systemctl", *(["--user"] if user else []), "is-system-running"]
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == b"stopping"
