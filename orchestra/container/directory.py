"""The files of one container directory: their names, and reading and writing those that are JSON."""

from __future__ import annotations

import json
import os
from errno import EBADMSG, ENOTEMPTY

from orchestra.linux import private_files, whole_files
from orchestra.linux.process import Process
from orchestra.linux.syscall import SystemCallError
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

RUN_FILES = ("shim.sock", "stdin", "stdout", "stderr", "log.note")
"""What the shim makes for one run and removes at its end, beside ``shim.pid``, which goes last."""

UNFINISHED = (".shim.pid.new", ".state.json.new", ".exit.json.new")
"""What ``ContainerDirectory.store`` leaves of records when it is killed before they have their names."""

RUNTIME_STATE = "runtime"
"""What another OCI runtime keeps of the container it has made for the shim."""


ATTEMPTS = 100
"""How often a directory is emptied that another process still writes to."""


class DamagedFile(SystemCallError):
    """A file that should hold a JSON object and does not, as if it had been emptied or cut short."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(EBADMSG, "read", path, "orchestra up --force-recreate makes the container anew")
        self._reason = reason

    def __str__(self) -> str:
        return f"{self.filename} is damaged: {self._reason}"


class ContainerDirectory(NamedTuple):
    """Paths below ``path``, see the package's docstring for who writes what."""

    path: str

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    def file(self, name: str) -> str:
        return f"{self.path}/{name}"

    def load(self, name: str) -> dict[str, Any]:
        """Raises FileNotFoundError or DamagedFile."""
        text = whole_files.read(self.file(name))
        try:
            content: dict[str, Any] = json.loads(text.decode())
        except (ValueError, RecursionError) as error:
            raise DamagedFile(self.file(name), str(error)) from error
        if type(content) is not dict:
            raise DamagedFile(self.file(name), "it is no JSON object")
        return content

    def load_if_there(self, name: str) -> dict[str, Any] | None:
        try:
            return self.load(name)
        except FileNotFoundError:
            return None

    def load_config(self) -> dict[str, Any]:
        """The OCI configuration, which has a process. Raises FileNotFoundError or DamagedFile."""
        config = self.load("config.json")
        for key, kind in (("process", dict), ("mounts", list), ("linux", dict)):
            if not isinstance(config.get(key), kind):
                raise DamagedFile(self.file("config.json"), f"it holds no {key}")
        return config

    def load_sound(self, name: str) -> dict[str, Any]:
        """Empty if the file is missing or damaged."""
        try:
            return self.load_if_there(name) or {}
        except DamagedFile:
            return {}

    def store(self, name: str, content: dict[str, Any]) -> None:
        """All or nothing, like ``private_files.store``."""
        private_files.store(self.file(name), json.dumps(content).encode())

    def remove(self, *names: str) -> None:
        for name in names:
            try:
                os.unlink(self.file(name))
            except FileNotFoundError:
                continue

    def remove_tree(self, name: str) -> None:
        """Another process may still remove files there, or add some, while it ends."""
        for attempt in range(ATTEMPTS):
            for here, _below, files in os.walk(self.file(name), topdown=False):
                for file in files:
                    _remove(os.unlink, f"{here}/{file}")
                try:
                    _remove(os.rmdir, here)
                except OSError as error:
                    if error.errno != ENOTEMPTY or attempt == ATTEMPTS - 1:
                        raise
            if not self.has(name):
                return

    def has(self, name: str) -> bool:
        return os.path.exists(self.file(name))

    def load_process(self, name: str) -> Process | None:
        """The process that ``shim.pid`` or ``state.json`` names; None if the file is missing or damaged."""
        return named_process(self.load_sound(name))


def _remove(remove: Callable[[str], None], path: str) -> None:
    try:
        remove(path)
    except FileNotFoundError:
        return


def named_process(record: Mapping[str, Any]) -> Process | None:
    """The process that a record names, if any."""
    pid, start_time = record.get("pid"), record.get("start_time")
    return Process(pid, start_time) if type(pid) is int and type(start_time) is int and pid > 0 else None
