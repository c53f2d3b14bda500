"""A transient scope of systemd as the control group of a container (systemd's "The New Control Group Interfaces").

A scope cannot be empty, but the container's first process must be born in it: until then another process stands in.
"""

from __future__ import annotations

import os
import signal
from errno import EINVAL, EPROTO
from typing import Any

from orchestra.linux import process
from orchestra.linux.syscall import SystemCallError
from orchestra.linux.systemd.dbus import BusError, Variant
from orchestra.linux.systemd.manager import call, connect, wait_for_job
from orchestra.linux.systemd.properties import accounting, resource_properties

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.linux.systemd.dbus import Connection

DEFAULT_SLICE = "system.slice"
GONE = ("org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.UnitNotLoaded")


class Scope:
    """name: ``SLICE:PREFIX:NAME``; properties: in addition. path: of its group, below the root of each tree."""

    def __init__(self, name: str, version: int, properties: Sequence[tuple[str, Variant]] = ()) -> None:
        slice_, prefix, last = name.split(":")
        self._version = version
        self._slice = slice_ or DEFAULT_SLICE
        if not last or last.endswith(".slice"):
            raise SystemCallError(EINVAL, "config", name, "SLICE:PREFIX:NAME is expected, for a scope of that name")
        self.unit = f"{prefix}-{last}.scope" if prefix else f"{last}.scope"
        self.path = f"{expand_slice(self._slice)}/{self.unit}"
        self._stand_in = 0
        self._properties = properties

    def start(self, resources: Mapping[str, Any]) -> None:
        """Returns once its groups exist. systemd knows its limits; we write everything else."""
        self._stand_in = os.fork()
        if self._stand_in == 0:
            self._stand()
        properties = [
            ("Description", Variant("s", f"container {self.unit.removesuffix('.scope')}")),
            ("Slice", Variant("s", self._slice)),
            ("PIDs", Variant("au", [self._stand_in])),
            ("DefaultDependencies", Variant("b", False)),
            *accounting(self._version),
            *resource_properties(resources, self._version),
            *self._properties,
        ]
        try:
            with connect() as bus:
                job = call(bus, "StartTransientUnit", "ssa(sv)a(sa(sv))", self.unit, "fail", properties, [])[0]
                self._wait(bus, "StartTransientUnit", job)
        except BusError as error:
            self.release()
            raise SystemCallError(EPROTO, "systemd", self.unit, str(error)) from error
        except BaseException:
            self.release()
            raise

    def _stand(self) -> None:
        try:
            process.restore_signals()
            process.prctl(process.PR_SET_PDEATHSIG, signal.SIGKILL)
            process.close_all_except([])
            while True:
                signal.pause()
        finally:
            os._exit(1)

    def release(self) -> None:
        """Another process is in the scope now."""
        if self._stand_in:
            os.kill(self._stand_in, signal.SIGKILL)
            os.waitpid(self._stand_in, 0)
            self._stand_in = 0

    def update(self, resources: Mapping[str, Any]) -> None:
        properties = resource_properties(resources, self._version)
        if properties:
            try:
                with connect() as bus:
                    call(bus, "SetUnitProperties", "sba(sv)", self.unit, True, properties)
            except BusError as error:
                raise SystemCallError(EPROTO, "systemd", self.unit, str(error)) from error

    def stop(self) -> None:
        """Does nothing if there is none."""
        self.release()
        try:
            with connect() as bus:
                self._wait(bus, "StopUnit", call(bus, "StopUnit", "ss", self.unit, "replace")[0])
                call(bus, "ResetFailedUnit", "s", self.unit)
        except BusError as error:
            if error.name not in GONE:
                raise SystemCallError(EPROTO, "systemd", self.unit, str(error)) from error

    def _wait(self, bus: Connection, asked: str, job: str) -> None:
        result = wait_for_job(bus, job)
        if result != "done":
            raise SystemCallError(EPROTO, asked, self.unit, f"systemd says: {result}")


def expand_slice(name: str) -> str:
    """``a-b.slice`` is below ``a.slice`` (systemd.slice(5)); ``-.slice`` is the root."""
    stem = name.removesuffix(".slice")
    parts = stem.split("-")
    if stem == "-":
        return ""
    if not name.endswith(".slice") or "/" in name or not all(parts):
        raise SystemCallError(EINVAL, "config", name, "not the name of a slice")
    return "".join(f"/{'-'.join(parts[: count + 1])}.slice" for count in range(len(parts)))
