"""The values of the global options."""

from __future__ import annotations

import os

from orchestra.linux import user_namespace
from orchestra.named_tuple import NamedTuple
from orchestra.oci_cli.container import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.oci_cli.report import Report

NAME = "orchestra-runtime"


class Context(NamedTuple):
    """manager: what makes the control groups of containers: this program for ``cgroupfs``, nothing for ``disabled``."""

    root: str
    report: Report
    manager: str = "cgroupfs"

    def container(self, name: str) -> Container:
        return Container(self.root, name)

    def names(self) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self.root) if entry.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            return []


def default_root() -> str:
    """For root of a user namespace, a directory of its own if it has one: it may not write to /run."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return f"{runtime}/{NAME}" if runtime and (os.geteuid() or not user_namespace.is_initial()) else f"/run/{NAME}"
