"""Loads that need not be done again: a result is kept with everything it depended on.

An entry is a JSON file, named by a digest of the request without its environment. It is good as long as every file
read or looked for has the same content and every variable used the same value. Entries may be deleted at any time; a
damaged one is a miss. Standard library only, and little of it: this is the path of a command with nothing to do.
"""

from __future__ import annotations

import hashlib
import json
import os
from stat import S_ISDIR, S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    class Dependencies(Protocol):
        """``orchestra.compose.request.Inputs``."""

        @property
        def files(self) -> Mapping[str, str | None]: ...

        @property
        def variables(self) -> Mapping[str, str | None]: ...

        @property
        def is_repeatable(self) -> bool: ...


# Part of the name of every entry, as is the loader's own code: another one never meets an old entry.
FORMAT = 2


def recall(loads_directory: str, request: Mapping[str, Any]) -> bytes | None:
    """What ``remember`` was given for this request, if nothing it depended on has changed, else None.

    request: ``LoadRequest.plain()``, or the same with further keys of the caller's own, such as an output format.
    """
    try:
        with open(entry_path(loads_directory, request), "rb") as file:
            head, newline, payload = file.read().partition(b"\n")
        entry = json.loads(head)
        files, variables, digest = entry["files"], entry["variables"], entry["payload"]
        environment = request["environment"]
        if not newline or any(environment.get(name) != value for name, value in variables.items()):
            return None
        if any(_digest_of(path) != known for path, known in files.items()):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return payload if hashlib.sha256(payload).hexdigest() == digest else None


def remember(loads_directory: str, request: Mapping[str, Any], inputs: Dependencies, payload: bytes) -> None:
    """Keep ``payload`` for ``recall``. Written as a whole or not at all; raises OSError when it cannot be written."""
    if not inputs.is_repeatable:
        return
    entry = {
        "files": dict(inputs.files),
        "variables": dict(inputs.variables),
        "payload": hashlib.sha256(payload).hexdigest(),
    }
    from orchestra.linux import private_files

    path = entry_path(loads_directory, request)
    private_files.make_directories(loads_directory)
    temporary = f"{path}.{os.getpid()}.tmp"
    # The result may hold secrets out of the environment: nobody else may read it.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(json.dumps(entry).encode() + b"\n" + payload)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def entry_path(loads_directory: str, request: Mapping[str, Any]) -> str:
    """The file of an entry."""
    from orchestra import __version__

    key = {name: value for name, value in request.items() if name != "environment"}
    text = json.dumps([FORMAT, __version__, _own_code(), key], sort_keys=True)
    return f"{loads_directory}/{hashlib.sha256(text.encode()).hexdigest()}"


def _own_code() -> list[tuple[str, int, int]]:
    """What tells one loader from another of the same version, as in a checkout that is worked on."""
    here = os.path.dirname(__file__)
    found: list[tuple[str, int, int]] = []
    for directory in (here, f"{here}/schema"):
        with os.scandir(directory) as entries:
            states = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(".py")]
        found += [(name, state.st_size, state.st_mtime_ns) for name, state in states]
    return sorted(found)


def _digest_of(path: str) -> str | None:
    """None when there is no such file; '' for what is no file any more, and must not be waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        mode = os.fstat(descriptor).st_mode
        if S_ISDIR(mode):
            return None
        if not S_ISREG(mode):
            return ""
        with open(descriptor, "rb", closefd=False) as file:
            return hashlib.sha256(file.read()).hexdigest()
    finally:
        os.close(descriptor)
