"""The files of one container directory: their names, and reading and writing those that are JSON."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from orchestra.linux import private_files
from orchestra.linux.process import Process

RUN_FILES = ("shim.sock", "stdin", "stdout", "stderr", "log.note")
"""What the shim makes for one run and removes at its end, beside ``shim.pid``, which goes last."""

UNFINISHED = (".shim.pid.new", ".state.json.new", ".exit.json.new")
"""What ``ContainerDirectory.store`` leaves of records when it is killed before they have their names."""

RUNTIME_STATE = "runtime"
"""What another OCI runtime keeps of the container it has made for the shim."""


class ContainerDirectory(NamedTuple):
    """Paths below ``path``, see the package's docstring for who writes what."""

    path: str

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    def file(self, name: str) -> str:
        return f"{self.path}/{name}"

    def load(self, name: str) -> dict[str, Any]:
        # Not by a file object, whose layers a process that was just forked would have to copy.
        fd = os.open(self.file(name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = b""
            while part := os.read(fd, os.fstat(fd).st_size + 1):
                text += part
        finally:
            os.close(fd)
        content: dict[str, Any] = json.loads(text.decode())
        return content

    def load_if_there(self, name: str) -> dict[str, Any] | None:
        try:
            return self.load(name)
        except FileNotFoundError:
            return None

    def store(self, name: str, content: dict[str, Any]) -> None:
        """Whole or not at all, as ``private_files.store`` does it."""
        private_files.store(self.file(name), json.dumps(content).encode())

    def remove(self, *names: str) -> None:
        for name in names:
            try:
                os.unlink(self.file(name))
            except FileNotFoundError:
                continue

    def remove_tree(self, name: str) -> None:
        for here, below, files in os.walk(self.file(name), topdown=False):
            for file in files:
                os.unlink(f"{here}/{file}")
            for directory in below:
                os.rmdir(f"{here}/{directory}")
        try:
            os.rmdir(self.file(name))
        except FileNotFoundError:
            return

    def has(self, name: str) -> bool:
        return os.path.exists(self.file(name))

    def load_process(self, name: str) -> Process | None:
        """Which process ``shim.pid`` or ``state.json`` names."""
        content = self.load_if_there(name)
        return None if content is None else Process(content["pid"], content["start_time"])
