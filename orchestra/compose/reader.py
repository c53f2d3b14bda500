"""The loader's only access to the outside: files and the process environment, with a record of everything used.

The caller of the loader gives a function that fetches files from elsewhere.

Reading is limited to regular files up to ``MAXIMUM_SIZE``, and to pipes from a shell. Nothing that could block or never
end is read.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from typing import TYPE_CHECKING, BinaryIO

from orchestra.compose.paths import is_remote
from orchestra.compose.request import Inputs
from orchestra.errors import ComposeError, Diagnostic, OrchestraError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STANDARD_INPUT = "-"
MAXIMUM_SIZE = 4 * 1024 * 1024
_NULL_DEVICE = os.makedev(1, 3)


class Reader:
    """Reads each file once; remembers digests and variables for ``Inputs``."""

    def __init__(
        self,
        environment: Mapping[str, str],
        fetch: Callable[[str], str] | None = None,
        note: Callable[[str], object] | None = None,
        given: Mapping[str, bytes | None] | None = None,
    ) -> None:
        """note: is told each path. given: contents instead of those of this machine, as in the request.

        ``relative`` has the paths that are made absolute, and so are meant on the machine that the request comes from.
        """
        self._environment = environment
        self._note = note or (lambda _path: None)
        self._fetch = fetch
        self._fetched: dict[str, str] = {}
        self._given = given or {}
        self._contents: dict[str, bytes | None] = dict(self._given)
        self.relative: set[str] = set()
        self._variables: dict[str, str | None] = {}
        self._is_repeatable = not given

    @property
    def is_for_another_machine(self) -> bool:
        return bool(self._given)

    def local(self, path: str) -> str:
        """The local file that stands for ``path``: itself, or what was fetched. Raises ComposeError when that fails."""
        if self._fetch is None or not is_remote(path):
            return path
        if path not in self._fetched:
            try:
                self._fetched[path] = self._fetch(path)
            except ComposeError:
                raise
            except OrchestraError as error:
                raise ComposeError((Diagnostic("unreachable-file", error.message, hint=error.hint),)) from error
        return self._fetched[path]

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if there is none. Raises ComposeError if it cannot be read."""
        if path not in self._contents:
            self._note(path)
            self._contents[path] = self._read(path)
        return self._contents[path]

    def list(self, directory: str) -> list[str]:
        """The names in a directory, sorted; none where there is none. What comes later is not noticed otherwise."""
        self._is_repeatable = False
        self._note(directory)
        try:
            return sorted(os.listdir(directory))
        except OSError:
            return []

    def lack(self, path: str) -> str:
        """Why ``read`` found nothing at ``path``."""
        if is_remote(path):
            return f"{path} is on another machine: only local files can be read"
        return f"{path} is a directory" if path not in self._given and os.path.isdir(path) else f"{path} does not exist"

    def digest(self, path: str) -> str:
        """A fingerprint of a file that the loader itself does not read: of its content, unless that is large."""
        self._note(path)
        if path in self._given:
            return hashlib.sha256(self.read(path) or b"").hexdigest()
        try:
            state = os.stat(path)
        except OSError:
            return hashlib.sha256(self.read(path) or b"").hexdigest()
        if stat.S_ISREG(state.st_mode) and state.st_size <= MAXIMUM_SIZE:
            return hashlib.sha256(self.read(path) or b"").hexdigest()
        self._is_repeatable = False
        described = f"{state.st_mode} {state.st_size} {state.st_mtime_ns}" if stat.S_ISREG(state.st_mode) else ""
        return hashlib.sha256(described.encode()).hexdigest()

    def variable(self, name: str) -> str | None:
        """A variable of the process environment. Raises ComposeError if its value is not text."""
        value = self._environment.get(name)
        if value is not None and not _is_text(value):
            message = f"the environment variable {name} is not UTF-8 text"
            raise ComposeError((Diagnostic("encoding", message, hint="unset it, or set it to UTF-8 text"),))
        self._variables[name] = value
        return value

    def variables(self) -> dict[str, str]:
        """All variables of the process environment that are text. A load that depends on them cannot be remembered."""
        self._is_repeatable = False
        return {name: value for name, value in self._environment.items() if _is_text(name + value)}

    @property
    def inputs(self) -> Inputs:
        files = {
            path: None if content is None else hashlib.sha256(content).hexdigest()
            for path, content in self._contents.items()
            if path != STANDARD_INPUT
        }
        return Inputs(files, dict(self._variables), self._is_repeatable, dict(self._fetched))

    def _read(self, path: str) -> bytes | None:
        if path == STANDARD_INPUT:
            self._is_repeatable = False
            return _bounded(sys.stdin.buffer, "standard input")
        if "\0" in path or not _is_text(path):
            raise refuse_file(ascii(path), "has a name that is not UTF-8 text, or that contains NUL")
        try:
            # Without O_NONBLOCK, opening a pipe would wait for a writer.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return None
            raise refuse_file(path, f"cannot be read: {error.strerror}") from error
        try:
            if not self._is_readable(path, descriptor):
                return None
            with open(descriptor, "rb", closefd=False) as file:
                return _bounded(file, path)
        finally:
            os.close(descriptor)

    def _is_readable(self, path: str, descriptor: int) -> bool:
        """False for a directory; raises if reading could block or never end."""
        state = os.fstat(descriptor)
        if stat.S_ISDIR(state.st_mode):
            return False
        if stat.S_ISREG(state.st_mode) or state.st_rdev == _NULL_DEVICE:
            return True
        self._is_repeatable = False
        if stat.S_ISFIFO(state.st_mode) and os.readlink(f"/proc/self/fd/{descriptor}").startswith("pipe:"):
            os.set_blocking(descriptor, True)  # ``-f <(command)``: the shell has a writer at the other end
            return True
        kind = "pipe" if stat.S_ISFIFO(state.st_mode) else "device"
        raise refuse_file(path, f"is a {kind}, not a file")


def _is_text(text: str) -> bool:
    """Whether the system gave us valid UTF-8: Python shows other bytes as half characters (PEP 383)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bounded(file: BinaryIO, name: str) -> bytes:
    content = file.read(MAXIMUM_SIZE + 1)
    if len(content) > MAXIMUM_SIZE:
        raise refuse_file(name, f"is larger than {MAXIMUM_SIZE // 1024**2} MiB")
    return content


def refuse_file(path: str, why: str) -> ComposeError:
    """The error for a file that exists but will not be read."""
    return ComposeError((Diagnostic("unreadable-file", f"{path} {why}"),))
