"""A shell that a page's commands are typed into: what one sets, the next one has."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

# What is written to /etc stays in the directory $1. Commands come by one descriptor, each ended by a NUL, and have an
# empty standard input; their exit codes go to another descriptor.
LOOP = """
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/etc,workdir=$1/work" /etc || exit
shift
status=0
while IFS= read -r -d '' command <&{commands}; do
    eval "(exit $status)"$'\\n'"$command" </dev/null {commands}<&- {codes}>&-
    status=$?
    echo "$status" >&{codes}
done
"""


class Done(Record):
    output: str
    code: int


class Shell:
    """bash in a folder. scratch: an empty directory for what is written to /etc. To be closed."""

    def __init__(self, folder: Path, scratch: Path, environment: Mapping[str, str]) -> None:
        for name in ("etc", "work"):
            (scratch / name).mkdir(exist_ok=True)
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the shell
        self._seen = 0
        commands, self._commands = os.pipe()
        told, codes = os.pipe()
        self._told = os.fdopen(told)
        loop = LOOP.format(commands=commands, codes=codes)
        self._process = subprocess.Popen(
            ["unshare", "--mount", "bash", "--noprofile", "--norc", "-c", loop, "bash", str(scratch)],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            pass_fds=(commands, codes),
        )
        os.close(commands)
        os.close(codes)

    def run(self, command: str) -> Done:
        """Type a command, and wait for its end. Standard output and standard error are one."""
        os.write(self._commands, f"{command}\0".encode())
        code = self._told.readline()
        output = os.pread(self._output.fileno(), 1 << 20, self._seen)
        self._seen += len(output)
        text = output.decode(errors="replace")
        assert code, f"the shell ended with {self._process.wait()}\n{text}"
        return Done(text, int(code))

    @property
    def folder(self) -> Path:
        """Where it is now."""
        return Path(os.readlink(f"/proc/{self._process.pid}/cwd"))

    def close(self) -> None:
        os.close(self._commands)
        self._process.wait()
        self._told.close()
        self._output.close()
