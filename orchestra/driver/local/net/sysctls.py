"""Kernel parameters of a container's network namespace, set from outside where the container's root may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.linux import whole_files
from orchestra.linux.network.namespace import inside
from orchestra.linux.syscall import SystemCallError

if TYPE_CHECKING:
    from collections.abc import Mapping


def set_sysctls(namespace_path: str, values: Mapping[str, str]) -> None:
    """values: by name, with dots or slashes between its words (sysctl(8)). Raises SystemCallError."""
    inside(namespace_path, _write, values)


def _write(values: Mapping[str, str]) -> None:
    for key, value in values.items():
        try:
            whole_files.set(f"/proc/sys/{key if '/' in key else key.replace('.', '/')}", value)
        except OSError as error:
            raise SystemCallError(error.errno or 0, "sysctl", key) from error
