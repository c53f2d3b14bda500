"""What the options before the command say."""

from __future__ import annotations

import os
from typing import NamedTuple

from orchestra.linux import user_namespace
from orchestra.oci_cli.container import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.oci_cli.report import Report

NAME = "orchestra-runtime"


class Context(NamedTuple):
    """manager: who makes the control groups of containers: ``cgroupfs`` is us, ``disabled`` nobody."""

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
    """Where root of a user namespace only has a directory of his own, he is nobody in /run."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return f"{runtime}/{NAME}" if runtime and (os.geteuid() or not user_namespace.is_initial()) else f"/run/{NAME}"
