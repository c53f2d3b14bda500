"""Remembering loads: a result is kept with everything it depended on.

An entry is a JSON file, named by a digest of the request without its environment. It is valid as long as every file
that was read or looked for has the same content, and every variable used the same value. Entries may be deleted at any
time; a damaged one is a miss. Standard library only, and little of it: commands with nothing to do take this path.
"""

from __future__ import annotations

import json
import os
from stat import S_ISDIR, S_ISREG

from orchestra.digests import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    class Dependencies(Protocol):
        """``orchestra.compose.request.Inputs``."""

        @property
        def files(self) -> Mapping[str, str | None]: ...

        @property
        def variables(self) -> Mapping[str, str | None]: ...

        @property
        def is_repeatable(self) -> bool: ...


# Part of the name of every entry, like the loader's own code: another version never meets an old entry.
FORMAT = 2


def recall(
    loads_directory: str, request: Mapping[str, Any], note: Callable[[str], object] | None = None
) -> bytes | None:
    """The payload given to ``remember`` for this request, or None if anything it depended on has changed.

    request: ``LoadRequest.plain()``, perhaps with further keys of the caller, such as an output format. note: is told
    each path that the payload depends on.
    """
    try:
        with open(entry_path(loads_directory, request), "rb") as file:
            head, newline, payload = file.read().partition(b"\n")
        entry = json.loads(head)
        files, variables, digest = entry["files"], entry["variables"], entry["payload"]
        environment = request["environment"]
        if note is not None:
            for path in files:
                note(path)
        if not newline or any(environment.get(name) != value for name, value in variables.items()):
            return None
        if any(_digest_of(path) != known for path, known in files.items()):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return payload if sha256(payload).hexdigest() == digest else None


def remember(loads_directory: str, request: Mapping[str, Any], inputs: Dependencies, payload: bytes) -> None:
    """Keep ``payload`` for ``recall``. Written completely or not at all; raises OSError if it cannot be written."""
    if not inputs.is_repeatable:
        return
    entry = {
        "files": dict(inputs.files),
        "variables": dict(inputs.variables),
        "payload": sha256(payload).hexdigest(),
    }
    from orchestra.linux import private_files

    path = entry_path(loads_directory, request)
    private_files.make_directories(loads_directory)
    temporary = f"{path}.{os.getpid()}.tmp"
    # The result may contain secrets from the environment, so only the owner may read it.
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
    return f"{loads_directory}/{sha256(text.encode()).hexdigest()}"


def _own_code() -> list[tuple[str, int, int]]:
    """What distinguishes two loaders of the same version, as in a checkout under development."""
    here = os.path.dirname(__file__)
    found: list[tuple[str, int, int]] = []
    for directory in (here, f"{here}/schema"):
        with os.scandir(directory) as entries:
            states = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(".py")]
        found += [(name, state.st_size, state.st_mtime_ns) for name, state in states]
    return sorted(found)


def _digest_of(path: str) -> str | None:
    """None if there is no such file; '' if it is no longer a regular file, which could block."""
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
            return sha256(file.read()).hexdigest()
    finally:
        os.close(descriptor)
